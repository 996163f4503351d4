/* fuzz_request.c - requests of any content to a sound model: every promise of qac_complete holds. */
#include <stdio.h>

#include "input.h"

enum { TEXT = QAC_MAX_K * (QAC_MAX_COMPOSED + 1), MOST_MODEL = 1 << 20, MOST_REQUEST = 1 << 12 };

static qac_model *model;
static qac_scratch *scratch;

/* Opens the model of the requests, as it stands in the corpus of models. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static uint8_t data[MOST_MODEL];
    static model_input in;
    (void)argc;
    (void)argv;
    FILE *f = fopen(QAC_FUZZ_MODEL, "rb");
    REQUIRE(f != NULL);
    const size_t size = fread(data, 1, sizeof data, f);
    fclose(f);
    read_model(&in, data, size);
    REQUIRE(qac_model_open(&in.parts, &model) == QAC_OK && qac_scratch_new(model, &scratch) == QAC_OK);
    return 0;
}

static bool is_in_session(const request *r, slice text)
{
    slice rest = r->session;
    for (;;) {
        const char *stop = rest.len ? memchr(rest.text, '\n', rest.len) : NULL;
        const slice query = {rest.text, stop ? (size_t)(stop - rest.text) : rest.len};
        if (is_same(query, text))
            return true;
        if (!stop)
            return false;
        rest = (slice){stop + 1, rest.len - query.len - 1};
    }
}

static void check_answer(const request *r, const qac_answer *a, slice text)
{
    REQUIRE(a->score >= 0 && a->score <= 1 + 1e-9 && a->composed >= 0 && a->recalled >= 0);
    REQUIRE(a->source == QAC_CORRECTED || (starts_with(text, r->prefix) && a->meant == r->prefix.len));
    REQUIRE(a->meant <= text.len);
    const uint32_t label = qac_find_label(model, text.text, text.len);
    switch (a->source) {
    case QAC_INDEX:
    case QAC_CORRECTED:
        REQUIRE(a->label == label && label != QAC_NO_ID);
        break;
    case QAC_COMPOSED:
        REQUIRE(a->label == QAC_NO_ID && label == QAC_NO_ID && r->options & QAC_COMPOSE);
        break;
    default:
        REQUIRE(a->source == QAC_RECALLED && label == QAC_NO_ID && is_in_session(r, text));
    }
}

/* Two requests in one call are answered as each by itself. */
static void check_batch(const request *r, const qac_answer *answers, uint32_t n, const char *text)
{
    enum { REQUESTS = 2 };
    static qac_answer found[REQUESTS * QAC_MAX_K];
    static char texts[REQUESTS * MOST_REQUEST], out[REQUESTS * TEXT];
    uint64_t end[2 * REQUESTS], at = 0, done;
    uint32_t numbers[REQUESTS];
    if (r->prefix.len + r->session.len > MOST_REQUEST)
        return;
    for (int i = 0; i < REQUESTS; i++) {
        memcpy(texts + at, r->prefix.text, r->prefix.len);
        end[2 * i] = at += r->prefix.len;
        memcpy(texts + at, r->session.text, r->session.len);
        end[2 * i + 1] = at += r->session.len;
    }
    REQUIRE(qac_complete_batch(model, scratch, texts, end, REQUESTS, r->k, r->beam, r->options, found, numbers, out,
                               sizeof out, &done) == QAC_OK);
    REQUIRE(done >= 1 && done <= REQUESTS);
    for (uint64_t i = 0; i < done; i++) {
        REQUIRE(numbers[i] == n);
        for (uint32_t a = 0; a < n; a++) {
            const qac_answer *x = &answers[a], *y = &found[i * r->k + a];
            REQUIRE(x->label == y->label && x->source == y->source && x->score == y->score);
            REQUIRE(is_same((slice){text + x->begin, x->end - x->begin}, (slice){out + y->begin, y->end - y->begin}));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static qac_answer answers[QAC_MAX_K];
    static char text[TEXT];
    static qac_feature features[2 * QAC_MAX_TERMS + 1];
    const request r = parse_request((slice){(const char *)data, size});
    uint32_t n, lo, hi;
    REQUIRE(qac_complete(model, scratch, r.prefix.text, r.prefix.len, r.session.text, r.session.len, r.k, r.beam,
                         r.options, answers, &n, text, sizeof text) == QAC_OK);
    const bool is_normal = qac_is_normal(r.prefix.text, r.prefix.len, 0) && qac_is_normal(r.session.text, r.session.len, 1);
    uint32_t typed;
    REQUIRE(qac_complete(model, scratch, r.prefix.text, r.prefix.len, r.session.text, r.session.len, r.k, r.beam,
                         r.options | QAC_AS_TYPED, answers, &typed, text, sizeof text) == (is_normal ? QAC_OK : QAC_EFORM));
    REQUIRE(typed == (is_normal ? n : 0));
    REQUIRE(qac_prefix_range(model, r.prefix.text, r.prefix.len, &lo, &hi) == QAC_OK);
    REQUIRE(n <= r.k && n >= (hi - lo < r.k ? hi - lo : r.k));
    for (uint32_t i = 0; i < n; i++) {
        const slice one = {text + answers[i].begin, answers[i].end - answers[i].begin};
        check_answer(&r, &answers[i], one);
        if (i && (answers[i].source == QAC_CORRECTED) == (answers[i - 1].source == QAC_CORRECTED))
            REQUIRE(answers[i].score <= answers[i - 1].score);
        for (uint32_t j = 0; j < i && i < 32; j++)
            REQUIRE(!is_same(one, (slice){text + answers[j].begin, answers[j].end - answers[j].begin}));
    }
    check_batch(&r, answers, n, text);
    qac_step steps[32];
    qac_push pushes[32];
    uint32_t n_features, n_steps, n_pushes;
    const int status =
        qac_explain(model, scratch, r.prefix.text, r.prefix.len, r.session.text, r.session.len, r.options, r.number,
                    features, &n_features, steps, 32, &n_steps, pushes, 32, &n_pushes);
    REQUIRE(status == (r.number >= lo && r.number < hi ? QAC_OK : QAC_EINVAL));
    return 0;
}

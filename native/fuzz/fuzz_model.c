/* fuzz_model.c - models of any content: refused when opened, or every call ends in order. */
#include "input.h"

/* libFuzzer's: changes bytes, returns the new size. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

enum { K = 12, STEPS = 16, PUSHES = 64, TEXT = K * QAC_MAX_LABEL };

static char text[TEXT];

static bool is_expected(int status) { return status == QAC_OK || status == QAC_ECORRUPT || status == QAC_EINVAL; }

static void complete(const qac_model *m, qac_scratch *w, slice prefix, slice session, uint32_t k, uint32_t beam,
                     uint32_t options)
{
    qac_answer answers[K];
    uint32_t n;
    const int status = qac_complete(m, w, prefix.text, prefix.len, session.text, session.len, k, beam, options, answers,
                                    &n, text, sizeof text);
    REQUIRE(is_expected(status));
    REQUIRE(n <= (status ? 0 : k));
    for (uint32_t i = 0; i < n; i++) {
        const qac_answer *a = &answers[i];
        REQUIRE(a->begin == (i ? answers[i - 1].end + 1 : 0) && a->begin <= a->end && a->end < sizeof text);
        REQUIRE(text[a->end] == '\n');
        REQUIRE(a->score >= 0 && a->source <= QAC_RECALLED && a->meant <= a->end - a->begin);
    }
}

static void explain(const qac_model *m, qac_scratch *w, slice prefix, slice session, uint32_t options, uint32_t label)
{
    static qac_feature features[2 * QAC_MAX_TERMS + 1];
    qac_step steps[STEPS];
    qac_push pushes[PUSHES];
    uint32_t n_features, n_steps, n_pushes;
    const int status = qac_explain(m, w, prefix.text, prefix.len, session.text, session.len, options, label, features,
                                   &n_features, steps, STEPS, &n_steps, pushes, PUSHES, &n_pushes);
    REQUIRE(is_expected(status));
    REQUIRE(status || (n_steps <= STEPS && n_pushes <= PUSHES));
}

static slice label_text(const qac_model *m, uint32_t label, char *out)
{
    size_t len = 0;
    const int status = qac_label_text(m, label, out, QAC_MAX_LABEL, &len);
    REQUIRE(is_expected(status) && len <= QAC_MAX_LABEL);
    return (slice){out, status ? 0 : len};
}

static void use(const qac_model *m, const request *r, uint32_t labels)
{
    static char one[QAC_MAX_LABEL], other[QAC_MAX_LABEL];
    const uint32_t label = r->number % labels;
    const slice named = label_text(m, label, one), before = label_text(m, (label + 1) % labels, other), none = {"", 0};
    const slice begin = {named.text, named.len / 2};
    const struct {
        slice prefix, session;
    } asked[] = {{r->prefix, r->session}, {begin, before}, {begin, r->session}, {r->prefix, before}, {none, named}};
    qac_scratch *w;
    REQUIRE(qac_scratch_new(m, &w) == QAC_OK);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        for (uint32_t options = 0; options <= (QAC_COMPOSE | QAC_CORRECT); options++)
            complete(m, w, asked[i].prefix, asked[i].session, 1 + r->k % K, i % 2 ? r->beam : 0, options);
        explain(m, w, asked[i].prefix, asked[i].session, r->options, label);
        uint32_t lo, hi;
        REQUIRE(qac_prefix_range(m, asked[i].prefix.text, asked[i].prefix.len, &lo, &hi) == QAC_OK);
        REQUIRE(lo <= hi && hi <= labels);
    }
    const uint32_t found = qac_find_label(m, named.text, named.len);
    REQUIRE(found < labels || found == QAC_NO_ID);
    REQUIRE(qac_label_text(m, labels, one, sizeof one, &(size_t){0}) == QAC_EINVAL);
    qac_scratch_free(w);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    model_input in;
    qac_model *m = NULL;
    read_model(&in, data, size);
    const int status = qac_model_open(&in.parts, &m);
    REQUIRE(status == QAC_OK || status == QAC_ECORRUPT);
    if (!status) {
        const request r = parse_request(in.request);
        use(m, &r, in.parts.tree.labels);
        qac_model_close(m);
    }
    free_model(&in);
    return status ? -1 : 0; /* what is refused is not kept to be changed further */
}

#ifdef QAC_LIBFUZZER

static const uint32_t TELLING[] = {0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF};

/* A number or two of a block become telling ones; returns its size, which stays. */
static size_t change_numbers(uint8_t *data, size_t size, unsigned seed)
{
    for (unsigned n = 1 + seed % 3; n > 0 && size >= 4; n--) {
        seed = (unsigned)qac_mix(seed + n);
        uint8_t *number = data + seed % (size / 4) * 4;
        uint32_t value;
        memcpy(&value, number, 4);
        const unsigned how = seed >> 24;
        value = how < 128 ? TELLING[how % (sizeof TELLING / sizeof *TELLING)] : how < 192 ? value + 1 : value - 1;
        memcpy(number, &value, 4);
    }
    return size;
}

/* Changes one block and leaves the others in their places. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = qac_mix(seed);
    if (random % 8 == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    uint32_t count = 0;
    for (blocks b = {data, data + size}; b.at < b.end; count++)
        next_block(&b);
    if (!count)
        return LLVMFuzzerMutate(data, size, max_size);
    blocks b = {data, data + size};
    slice s;
    for (uint32_t chosen = (uint32_t)((random >> 8) % count);; chosen--) {
        s = next_block(&b);
        if (!chosen)
            break;
    }
    uint8_t *begin = (uint8_t *)s.text;
    const size_t behind = (size_t)(b.end - b.at), room = max_size - (size_t)(begin - data) - behind;
    if (room == 0 || (size_t)(begin - data) < sizeof(uint32_t))
        return LLVMFuzzerMutate(data, size, max_size);
    if (random >> 40 & 1 && s.len >= 4) {
        change_numbers(begin, s.len, (unsigned)(random >> 41));
        return size;
    }
    uint8_t *rest = malloc(behind + 1), *changed = malloc(room + 1);
    REQUIRE(rest && changed);
    memcpy(rest, b.at, behind);
    memcpy(changed, begin, s.len);
    const uint32_t len = (uint32_t)LLVMFuzzerMutate(changed, s.len, room);
    memcpy(begin - sizeof len, &len, sizeof len);
    memcpy(begin, changed, len);
    memcpy(begin + len, rest, behind);
    free(rest);
    free(changed);
    return (size_t)(begin - data) + len + behind;
}

#endif

/* test_search.c - a model small enough to work out by hand. */
#include <math.h>

#include "test.h"

typedef struct {
    sample s;
    qac_model *m;
    qac_scratch *w;
} opened;

static opened open_sample(void)
{
    opened o = {.s = make_sample()};
    CHECK(qac_model_open(&o.s.parts, &o.m) == QAC_OK);
    CHECK(qac_scratch_new(o.m, &o.w) == QAC_OK);
    return o;
}

static void close_sample(opened *o)
{
    qac_scratch_free(o->w);
    qac_model_close(o->m);
    free_sample(&o->s);
}

/* Features and scales are single-precision numbers. */
static bool near(double a, double b) { return fabs(a - b) <= 1e-6 * fabs(b); }

/* All answers to a request, by label, worked out from the comment on `sample` in test.h. */
static void expected(uint32_t lo, uint32_t hi, bool x, bool y, double *score)
{
    const double count[] = {1, 2, 4, 8, 16, 32, 64, 128}, length = x && y ? sqrt(2) : 1;
    double factor[8], mass[3] = {0}; /* of the children of the root, and of clusters 3 and 4 within node 1 */
    for (uint32_t i = 0; i < 8; i++) {
        score[i] = 0;
        factor[i] = 1;
        if (x && i >= 6)
            factor[i] = exp((i == 6 ? -1 : 16.0 / 31) / length);
    }
    const uint32_t from = lo > 6 ? lo : 6;
    double leaf = 0, leaf_mass = 0; /* node 2 */
    for (uint32_t i = from; i < hi; i++) {
        leaf += count[i] * factor[i];
        leaf_mass += count[i];
    }
    if (hi - from == 1 || hi <= from) /* one way or none: the ranker is not asked */
        leaf = leaf_mass;
    for (uint32_t i = lo; i < hi && i < 6; i++) {
        mass[0] += count[i];
        mass[1 + i % 2] += count[i];
    }
    const double push = y && mass[1] > 0 && mass[2] > 0 ? exp(2 / length) : 1; /* of cluster 4 */
    const double clusters = mass[1] + mass[2] * push;
    const double root = x && mass[0] > 0 && leaf_mass > 0 ? exp(1 / length) : 1, all = mass[0] * root + leaf_mass;
    for (uint32_t i = lo; i < hi; i++) {
        if (i < 6)
            score[i] = mass[0] * root / all * (mass[1 + i % 2] * (i % 2 ? push : 1) / clusters) *
                       (count[i] / mass[1 + i % 2]);
        else
            score[i] = leaf_mass / all * (count[i] * (leaf == leaf_mass ? 1 : factor[i]) / leaf);
    }
}

static void test_answers(opened *o)
{
    const struct {
        const char *prefix;
        uint32_t lo, hi;
    } prefixes[] = {{"", 0, 8},   {"a", 0, 6},    {"ab", 1, 6},    {"abc", 2, 3}, {"abf", 4, 6},
                    {"b", 6, 8}, {"bcdf", 7, 8}, {"bcdfg", 8, 8}, {"c", 8, 8},   {"\xFF", 8, 8}};
    const struct {
        const char *session;
        bool x, y;
    } sessions[] = {{"", 0, 0}, {"z", 0, 0}, {"x", 1, 0}, {"y", 0, 1}, {"x y", 1, 1}, {"z\ny x", 1, 1}};
    for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes; p++) {
        const uint32_t matching = prefixes[p].hi - prefixes[p].lo;
        uint32_t lo, hi, n;
        CHECK(qac_prefix_range(o->m, prefixes[p].prefix, strlen(prefixes[p].prefix), &lo, &hi) == QAC_OK);
        CHECK(hi - lo == matching && (matching == 0 || lo == prefixes[p].lo));
        for (size_t i = 0; i < sizeof sessions / sizeof *sessions; i++) {
            double score[8];
            expected(prefixes[p].lo, prefixes[p].hi, sessions[i].x, sessions[i].y, score);
            for (uint32_t beam = 0; beam < 4; beam++) {
                for (uint32_t k = 1; k < 10; k++) {
                    qac_answer answers[10];
                    CHECK(ask(o->m, o->w, prefixes[p].prefix, sessions[i].session, k, beam, answers, &n) == QAC_OK);
                    CHECK(n == (k < matching ? k : matching));
                    for (uint32_t a = 0; a < n; a++) {
                        CHECK(answers[a].label >= lo && answers[a].label < hi);
                        CHECK(near(answers[a].score, score[answers[a].label]));
                        CHECK(a == 0 || answers[a].score <= answers[a - 1].score);
                        uint32_t better = 0;
                        for (uint32_t j = lo; j < hi; j++)
                            better += score[j] > score[answers[a].label] * (1 + 1e-6);
                        CHECK(better == a || (beam && better >= a));
                    }
                }
            }
        }
    }
}

/* The factors of the session "x" by hinge rankers: 1 for node 1, pushed to the margin; exp(-1) for what is not pushed;
 * exp(-8) for bcde, pushed by -1; exp(-(15/31)^3) for bcdf. */
static void test_hinge(void)
{
    sample s = make_sample();
    s.parts.loss = QAC_LOSS_HINGE;
    for (s.parts.filters = 0; s.parts.filters < 2; s.parts.filters++) {
        qac_model *m;
        qac_scratch *w;
        CHECK(qac_model_open(&s.parts, &m) == QAC_OK && qac_scratch_new(m, &w) == QAC_OK);
        qac_answer answers[10];
        uint32_t n;
        const double bcdf = exp(-1) * exp(-pow(15.0 / 31, 3));
        for (uint32_t beam = 0; beam < 4; beam++) {
            CHECK(ask(m, w, "b", "x", 10, beam, answers, &n) == QAC_OK);
            if (s.parts.filters && beam == 1) {
                CHECK(n == 0); /* it went to node 1 */
                continue;
            }
            CHECK(n == 2 && answers[0].label == 7 && near(answers[0].score, bcdf));
            CHECK(answers[1].label == 6 && near(answers[1].score, exp(-1) * exp(-8)));
        }
        CHECK(ask(m, w, "ab", "x", 10, 0, answers, &n) == QAC_OK && n == 5); /* nothing is pushed below node 1 */
        for (uint32_t i = 0; i < n; i++)
            CHECK(answers[i].label == 1 + i && near(answers[i].score, exp(-2)));
        CHECK(ask(m, w, "b", "", 10, 1, answers, &n) == QAC_OK && n == 2); /* counts: no ranker, nothing filtered */
        CHECK(answers[0].label == 7 && near(answers[0].score, 128.0 / 192));
        qac_scratch_free(w);
        qac_model_close(m);
    }
    free_sample(&s);
}

static void test_repeats(opened *o)
{
    qac_answer answers[8];
    uint32_t n;
    double score[8];
    expected(6, 8, false, false, score);
    CHECK(ask(o->m, o->w, "b", "bcde\nbcdf", 8, 0, answers, &n) == QAC_OK && n == 2);
    CHECK(answers[0].label == 6 && near(answers[0].score, score[6]));
    CHECK(answers[1].label == 7 && near(answers[1].score, score[7] / 4));
    CHECK(ask(o->m, o->w, "b", "bcdf\nbcde", 8, 0, answers, &n) == QAC_OK);
    CHECK(answers[0].label == 7 && near(answers[0].score, score[7])); /* only the last query counts as repeated */
}

static void test_explanations(opened *o)
{
    qac_feature features[2 * QAC_MAX_TERMS + 1];
    qac_step steps[8];
    qac_push pushes[8];
    uint32_t n_features, n_steps, n_pushes;
    double score[8];
    expected(0, 8, true, true, score);
    for (uint32_t label = 0; label < 8; label++) {
        CHECK(qac_explain(o->m, o->w, "", 0, "y x", 3, 0, label, features, &n_features, steps, 8, &n_steps, pushes, 8,
                          &n_pushes) == QAC_OK);
        CHECK(n_features == 2 && n_steps == (label < 6 ? 3 : 2));
        double product = 1;
        for (uint32_t i = 0; i < n_steps; i++)
            product *= steps[i].probability;
        CHECK(near(product, score[label]));
        CHECK(steps[0].node == 0 && steps[0].choice == (label >= 6) && steps[0].alternatives == 2);
    }
    CHECK(steps[1].push_end - steps[1].push_begin == 1); /* of bcdf: x, by 16/31 of the scale, over the root of 2 */
    CHECK(fabs(pushes[steps[1].push_begin].weight - 16 / 31.0 / sqrt(2)) < 1e-6);
    CHECK(qac_explain(o->m, o->w, "", 0, "x", 1, 0, 3, features, &n_features, steps, 1, &n_steps, pushes, 0, &n_pushes) ==
          QAC_OK);
    CHECK(n_steps == 1 && n_pushes == 0);
    for (uint32_t label = 6; label < 10; label++)
        CHECK(qac_explain(o->m, o->w, "a", 1, "x", 1, 0, label, features, &n_features, steps, 8, &n_steps, pushes, 8,
                          &n_pushes) == QAC_EINVAL);
}

static void test_labels_of_a_model(opened *o)
{
    char text[8];
    size_t len;
    CHECK(qac_label_text(o->m, 4, text, 8, &len) == QAC_OK && len == 5 && memcmp(text, "abfgh", 5) == 0);
    memset(text, '#', 8);
    CHECK(qac_label_text(o->m, 4, text, 2, &len) == QAC_OK && len == 5 && memcmp(text, "ab######", 8) == 0);
    CHECK(qac_label_text(o->m, 8, text, 8, &len) == QAC_EINVAL);
    CHECK(qac_find_label(o->m, "abd", 3) == 3 && qac_find_label(o->m, "ab", 2) == 1);
    CHECK(qac_find_label(o->m, "", 0) == QAC_NO_ID && qac_find_label(o->m, "abdx", 4) == QAC_NO_ID);
    CHECK(qac_find_label(o->m, "zzz", 3) == QAC_NO_ID);
}

static void test_refusals(opened *o)
{
    qac_answer answers[8];
    uint32_t n;
    char text[64];
    CHECK(qac_complete(o->m, o->w, "", 0, "", 0, 0, 0, 1, answers, &n, text, sizeof text) == QAC_EINVAL);
    CHECK(qac_complete(o->m, o->w, "", 0, "", 0, QAC_MAX_K + 1, 0, 1, answers, &n, text, sizeof text) == QAC_EINVAL);
    CHECK(qac_complete(o->m, o->w, "", 0, "", 0, 8, 0, 1, answers, &n, text, 5) == QAC_EINVAL);
    CHECK(qac_complete(o->m, o->w, "bcdf", 4, "", 0, 8, 0, 1, answers, &n, text, 4) == QAC_EINVAL);
    CHECK(qac_complete(o->m, o->w, "bcdf", 4, "", 0, 8, 0, 1, answers, &n, text, 5) == QAC_OK && n == 1);
    CHECK(answers[0].begin == 0 && answers[0].end == 4 && memcmp(text, "bcdf\n", 5) == 0);
    const uint32_t typed = QAC_AS_TYPED;
    CHECK(qac_complete(o->m, o->w, "Bcdf", 4, "", 0, 8, 0, typed, answers, &n, text, sizeof text) == QAC_EFORM);
    CHECK(n == 0);
    CHECK(qac_complete(o->m, o->w, "bcdf", 4, " b", 2, 8, 0, typed, answers, &n, text, sizeof text) == QAC_EFORM);
    CHECK(qac_complete(o->m, o->w, "bcdf", 4, "b\nb", 3, 8, 0, typed, answers, &n, text, sizeof text) == QAC_OK);
    CHECK(n == 1);
    qac_scratch_free(NULL);
    qac_rankers_free(NULL);
}

static void test_wide(void)
{
    enum { NODES = 3000 };
    sample s = make_wide_sample(NODES, 7);
    qac_model *m;
    qac_scratch *w;
    qac_answer answers[QAC_MAX_K];
    uint32_t n;
    CHECK(qac_model_open(&s.parts, &m) == QAC_OK && qac_scratch_new(m, &w) == QAC_OK);
    for (uint32_t beam = 0; beam < 3; beam++) {
        CHECK(ask(m, w, "", "", QAC_MAX_K, beam, answers, &n) == QAC_OK && n == QAC_MAX_K);
        for (uint32_t i = 0; i < n; i++) /* all are equal: the smallest labels come, in order */
            CHECK(answers[i].label == i && answers[i].score == answers[0].score);
    }
    CHECK(ask(m, w, "0001", "", QAC_MAX_K, 0, answers, &n) == QAC_OK && n == QAC_MAX_K && answers[0].label == 1000);
    CHECK(ask(m, w, "000199", "", QAC_MAX_K, 0, answers, &n) == QAC_OK && n == 10 && answers[0].label == 1990);
    qac_scratch_free(w);
    qac_model_close(m);
    free_sample(&s);
}

void test_search(void)
{
    opened o = open_sample();
    test_answers(&o);
    test_repeats(&o);
    test_hinge();
    test_explanations(&o);
    test_labels_of_a_model(&o);
    test_refusals(&o);
    close_sample(&o);
    test_wide();
}

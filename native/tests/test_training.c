/* test_training.c - a learning problem with a known answer, any number of threads, cancelling, refusals. */
#include <math.h>

#include "test.h"

/* One node of two labels, counted 3 and 1; one session of one feature, followed three times by each label. */
static const float WEIGHT[] = {3, 1};
static const qac_node ONE_NODE[] = {{.mass = 4, .hi = 2, .n_children = 2, .flags = QAC_NODE_LEAF}};
static const qac_tree ONE = {.node = ONE_NODE, .weight = WEIGHT, .nodes = 1, .labels = 2};
static const uint64_t ROW_END[] = {1}, LABEL_END[] = {1, 2};
static const uint32_t FEATURE[] = {0}, EXAMPLE_ROW[] = {0, 0};
static const float VALUE[] = {1}, EXAMPLE_WEIGHT[] = {3, 3};
static const qac_examples EXAMPLES = {ROW_END, FEATURE, VALUE, 1, 1, LABEL_END, EXAMPLE_ROW, EXAMPLE_WEIGHT};
static const qac_training PRECISE = {.l2 = 1e-6, .tolerance = 0, .max_passes = 1000, .threads = 1};

static void test_known_answer(void)
{
    qac_progress *progress = make_progress();
    qac_training_state state;
    qac_rankers *r;
    CHECK(qac_train(&ONE, &EXAMPLES, &PRECISE, progress, &r) == QAC_OK);
    qac_progress_read(progress, &state);
    qac_progress_free(progress);
    uint64_t rows, entries, row_end[1];
    uint32_t node_rows[1], row_feature[1];
    uint16_t child[2];
    float weight[2];
    qac_rankers_sizes(r, &rows, &entries);
    CHECK(rows == 1 && entries == 2);
    qac_rankers_copy(r, node_rows, row_feature, row_end, child, weight);
    CHECK(node_rows[0] == 1 && row_feature[0] == 0 && row_end[0] == 2 && child[0] == 0 && child[1] == 1);
    /* Equal shares after all: 3 exp(a) = 1 exp(b), and the penalty makes a = -b = -ln(3) / 2. */
    CHECK(fabs(weight[1] - log(3) / 2) < 1e-4 && fabs(weight[0] + log(3) / 2) < 1e-4);
    CHECK(fabs(state.loss_start + 3 * log(0.75) + 3 * log(0.25)) < 1e-9);
    CHECK(fabs(state.loss - 6 * log(2)) < 1e-6);
    CHECK(state.work_done == 2 && state.work_total == 2);
    qac_rankers_free(r);
}

/* Two sessions of a feature each, followed by one label each: of l2/2 w^2 + (1 - y w)^2 the minimum is 2 y / (2 + l2). */
static void test_hinge(void)
{
    static const uint64_t row_end[] = {1, 2};
    static const uint32_t feature[] = {0, 1}, row[] = {0, 1};
    static const float value[] = {1, 1};
    const qac_examples examples = {row_end, feature, value, 2, 2, LABEL_END, row, EXAMPLE_WEIGHT};
    const qac_training training = {.l2 = 0.5, .tolerance = 1e-9, .max_passes = 1000, .threads = 1,
                                   .loss = QAC_LOSS_HINGE, .positive_cost = 1, .negative_cost = 1};
    qac_progress *progress = make_progress();
    qac_training_state state;
    qac_rankers *r;
    CHECK(qac_train(&ONE, &examples, &training, progress, &r) == QAC_OK);
    qac_progress_read(progress, &state);
    qac_progress_free(progress);
    uint64_t rows, entries, ends[2];
    uint32_t node_rows[1], row_feature[2];
    uint16_t child[4];
    float weight[4];
    qac_rankers_sizes(r, &rows, &entries);
    CHECK(rows == 2 && entries == 4);
    qac_rankers_copy(r, node_rows, row_feature, ends, child, weight);
    CHECK(row_feature[0] == 0 && row_feature[1] == 1 && ends[0] == 2 && ends[1] == 4);
    for (uint32_t i = 0; i < 4; i++)
        CHECK(child[i] == i % 2 && fabs(weight[i] - (i == 0 || i == 3 ? 0.8 : -0.8)) < 1e-6);
    CHECK(fabs(state.loss_start - 4) < 1e-9 && fabs(state.loss - 4 * 0.2 * 0.2) < 1e-6);
    qac_rankers_free(r);
}

static void test_refusals(void)
{
    qac_training wrong[] = {PRECISE, PRECISE, PRECISE, PRECISE, PRECISE, PRECISE, PRECISE, PRECISE};
    wrong[5].loss = 2;
    wrong[6].matcher_beam = 1; /* negatives of the hinge loss */
    wrong[7].loss = QAC_LOSS_HINGE; /* costs of 0 */
    wrong[0].l2 = 0;
    wrong[1].l2 = NAN;
    wrong[2].threads = 0;
    wrong[3].threads = 100000;
    wrong[4].max_passes = 0;
    qac_progress *progress = make_progress();
    qac_rankers *r = NULL;
    for (int i = 0; i < 8; i++)
        CHECK(qac_train(&ONE, &EXAMPLES, &wrong[i], progress, &r) == QAC_EINVAL && r == NULL);
    const qac_node wide[] = {{.mass = 4, .hi = 2, .n_children = 65537}};
    qac_tree tree = ONE;
    tree.node = wide;
    CHECK(qac_train(&tree, &EXAMPLES, &PRECISE, progress, &r) == QAC_EINVAL && r == NULL);
    qac_progress_cancel(progress);
    CHECK(qac_train(&ONE, &EXAMPLES, &PRECISE, progress, &r) == QAC_ECANCELLED && r == NULL);
    qac_progress_free(progress);
}

/* The figure's tree and random examples. */
static void test_threads(uint32_t loss, uint32_t matcher_beam)
{
    enum { ROWS = 60, FEATURES = 12, PER_ROW = 3, EACH = 20, LABELS = 8 };
    sample s = make_sample();
    uint64_t row_end[ROWS], label_end[LABELS];
    uint32_t feature[ROWS * PER_ROW], row[LABELS * EACH];
    float value[ROWS * PER_ROW], weight[LABELS * EACH];
    for (uint32_t i = 0; i < ROWS; i++) {
        row_end[i] = (i + 1) * PER_ROW;
        for (uint32_t j = 0; j < PER_ROW; j++) {
            feature[i * PER_ROW + j] = j * (FEATURES / PER_ROW) + random_below(FEATURES / PER_ROW);
            value[i * PER_ROW + j] = 0.1f + (float)random_below(100) / 100;
        }
    }
    for (uint32_t i = 0; i < LABELS * EACH; i++) {
        label_end[i / EACH] = i + 1;
        row[i] = i % EACH * (ROWS / EACH) + random_below(ROWS / EACH);
        weight[i] = 1 + (float)random_below(3);
    }
    const qac_examples examples = {row_end, feature, value, ROWS, FEATURES, label_end, row, weight};
    uint64_t first_rows = 0, first_entries = 0;
    uint8_t *first = NULL;
    for (uint32_t threads = 1; threads <= 5; threads++) {
        qac_training training = {.l2 = 0.1, .tolerance = 1e-6, .max_passes = 100, .threads = threads, .prune = 0.01f,
                                 .loss = loss, .positive_cost = 1, .negative_cost = 1, .matcher_beam = matcher_beam};
        qac_progress *progress = make_progress();
        qac_training_state state;
        qac_rankers *r;
        CHECK(qac_train(&s.parts.tree, &examples, &training, progress, &r) == QAC_OK);
        qac_progress_read(progress, &state);
        qac_progress_free(progress);
        CHECK(state.loss < state.loss_start && state.work_done == state.work_total);
        uint64_t rows, entries;
        qac_rankers_sizes(r, &rows, &entries);
        CHECK(rows > 5 && entries > rows);
        const size_t size = 5 * 4 + rows * 12 + entries * 6;
        uint8_t *all = allocate(size);
        uint64_t *end = (uint64_t *)all;
        uint32_t *node_rows = (uint32_t *)(end + rows), *row_feature = node_rows + 5;
        float *weights = (float *)(row_feature + rows);
        uint16_t *child = (uint16_t *)(weights + entries);
        qac_rankers_copy(r, node_rows, row_feature, end, child, weights);
        for (uint64_t i = 0; i < entries; i++)
            CHECK(fabsf(weights[i]) >= 0.01f);
        if (first) {
            CHECK(rows == first_rows && entries == first_entries && memcmp(all, first, size) == 0);
            free(all);
        } else {
            first = all;
            first_rows = rows;
            first_entries = entries;
        }
        qac_rankers_free(r);
    }
    free(first);
    free_sample(&s);
}

void test_training(void)
{
    test_known_answer();
    test_hinge();
    test_refusals();
    test_threads(QAC_LOSS_SOFTMAX, 0);
    test_threads(QAC_LOSS_HINGE, 0);
    test_threads(QAC_LOSS_HINGE, 1);
    test_threads(QAC_LOSS_HINGE, 100);
}

/* test_rows.c - rankers' weights, encoded and read again. */
#include "rows.h"
#include "test.h"

enum { NODES = 6, MOST_ROWS = 400, MOST_ENTRIES = 8000, FEATURES = 1000 };

/* Rows as training gives them, and as a model has them. */
typedef struct {
    uint32_t node_rows[NODES], row_feature[MOST_ROWS];
    uint64_t row_end[MOST_ROWS];
    uint16_t child[MOST_ENTRIES];
    int8_t weight[MOST_ENTRIES];
    uint32_t weight_bits;
    uint32_t width[NODES]; /* children */
    qac_node node[NODES];
    uint32_t block_feature[MOST_ROWS], block_begin[MOST_ROWS];
    uint8_t *stream; /* in an allocation of its own, so that reading beyond the end shows */
    qac_rows rows;
} example;

static void encode(example *x)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < NODES; i++)
        rows += x->node_rows[i];
    const uint64_t bound = qac_rows_bound(NODES, rows, rows ? x->row_end[rows - 1] : 0);
    uint8_t *bytes = allocate(bound);
    uint32_t node_blocks[NODES], block = 0;
    uint64_t blocks, size;
    CHECK(qac_rows_encode(x->node_rows, x->width, NODES, x->row_feature, x->row_end, x->child, x->weight, x->weight_bits,
                          bytes, node_blocks,                          x->block_feature, x->block_begin, &blocks, &size) == QAC_OK);
    CHECK(size <= bound && blocks <= rows);
    for (uint32_t i = 0; i < NODES; block += node_blocks[i++])
        x->node[i] = (qac_node){.block = block, .n_blocks = node_blocks[i], .n_children = x->width[i]};
    x->stream = allocate(size);
    memcpy(x->stream, bytes, size);
    free(bytes);
    x->rows = (qac_rows){x->stream, size, x->block_feature, x->block_begin, blocks, x->weight_bits};
}

static int check_rows(const example *x, uint32_t features, uint64_t *entries)
{
    const qac_tree tree = {.node = x->node, .nodes = NODES};
    return qac_rows_check(&x->rows, &tree, features, entries);
}

/* Two rows, none, and one: of feature 5, child 0 by -1 and child 300 by 31; of 107, child 2 by 3; of 1000, child 1 by -31.
 *
 * The first block: 102 = 107 - 5 must lose its lowest bit to be below 64 together with the other row, so bits 0 and
 * 51 + 1 are set; the sizes are 1, 1 and 1 (rows - 1, low bits, entries - rows: 1 | 1 << 5 | 1 << 10); then, the first bit of
 * each number its lowest, 0 0 (low bits), 0 1 1 (last entries), and 9 + 6 bits an entry: 0, 30; 300, 62; 2, 34.
 * The second: bit 0, sizes 0, then 1 (last), 1 (child, in one bit), 0. At the end eight zeros. */
static const uint8_t GOLDEN[] = {0x01, 0, 0, 0, 0, 0, 0x10, 0, 0x21, 0x04, 0x18, 0x80, 0xC7, 0xD2, 0x17, 0x20, 0x02,
                                 0x01, 0, 0, 0, 0, 0, 0,    0, 0,    0,    0x03, 0,    0,    0,    0,    0,    0,
                                 0,    0};

static void make_golden(example *x)
{
    *x = (example){.node_rows = {2, 0, 1}, .row_feature = {5, 107, 1000}, .row_end = {2, 3, 4}, .child = {0, 300, 2, 1},
                   .weight = {-1, 31, 3, -31}, .weight_bits = 6, .width = {301, 2, 2, 2, 2, 2}};
    encode(x);
}

static void test_golden(void)
{
    example x;
    uint64_t entries;
    make_golden(&x);
    CHECK(x.rows.size == sizeof GOLDEN && memcmp(x.stream, GOLDEN, sizeof GOLDEN) == 0);
    CHECK(x.rows.blocks == 2 && x.block_feature[0] == 5 && x.block_feature[1] == 1000);
    CHECK(x.block_begin[0] == 0 && x.block_begin[1] == 17);
    CHECK(x.node[0].n_blocks == 1 && x.node[1].n_blocks == 0 && x.node[2].n_blocks == 1 && x.node[3].n_blocks == 0);
    CHECK(check_rows(&x, 1001, &entries) == QAC_OK && entries == 4);
    CHECK(check_rows(&x, 1000, &entries) == QAC_ECORRUPT);
    x.node[0].n_children = 300;
    CHECK(check_rows(&x, 1001, &entries) == QAC_ECORRUPT);
    free(x.stream);
}

static void fill(example *x)
{
    uint64_t rows = 0, entries = 0;
    x->weight_bits = QAC_MIN_WEIGHT_BITS + random_below(QAC_MAX_WEIGHT_BITS - QAC_MIN_WEIGHT_BITS + 1);
    const int largest = largest_weight(x->weight_bits);
    for (uint32_t i = 0; i < NODES; i++) {
        x->node_rows[i] = 0;
        x->width[i] = 1 + (random_below(4) ? random_below(40) : random_below(5000));
        const uint32_t some = random_below(4) * random_below(200);
        for (uint32_t f = 0; f < FEATURES && rows < MOST_ROWS; f++) {
            if (random_below(FEATURES) >= some)
                continue;
            const uint32_t chosen = random_below(8) ? 2 : 1 + random_below(100);
            const uint64_t begin = entries;
            for (uint32_t c = random_below(x->width[i]); c < x->width[i] && entries < MOST_ENTRIES && entries - begin < chosen;
                 c += 1 + random_below(x->width[i])) {
                x->child[entries] = (uint16_t)c;
                x->weight[entries++] = (int8_t)((int)random_below(2 * (uint32_t)largest + 1) - largest);
            }
            if (entries == begin)
                break;
            x->row_feature[rows] = f;
            x->row_end[rows++] = entries;
            x->node_rows[i]++;
        }
    }
}

/* The row of a feature, read entry by entry, is the one that was written. */
static void check_row(const example *x, row_walk *w, uint64_t row)
{
    for (uint64_t at = row ? x->row_end[row - 1] : 0; at < x->row_end[row]; at++) {
        const row_entry e = row_read(w);
        CHECK(e.child == x->child[at] && e.weight == x->weight[at]);
    }
}

static void test_what_was_written_is_read(void)
{
    static example x;
    for (uint32_t round = 0; round < 200; round++) {
        fill(&x);
        encode(&x);
        uint64_t entries, row = 0;
        CHECK(check_rows(&x, FEATURES, &entries) == QAC_OK);
        for (uint32_t i = 0; i < NODES; i++) {
            const uint64_t end = row + x.node_rows[i];
            for (uint32_t step = 1; step < 200; step += 1 + step) { /* all features, and fewer and fewer */
                row_walk w = rows_of(&x.rows, &x.node[i]);
                uint64_t at = row;
                for (uint32_t f = 0; f < FEATURES; f += 1 + random_below(step)) {
                    while (at < end && x.row_feature[at] < f)
                        at++;
                    const bool found = at < end && x.row_feature[at] == f;
                    const uint32_t block = row_block(&x.rows, &x.node[i], f);
                    const uint64_t wanted = found ? x.row_end[at] - (at ? x.row_end[at - 1] : 0) : 0;
                    CHECK(row_seek(&w, block, f) == wanted);
                    if (found)
                        check_row(&x, &w, at);
                }
            }
            row = end;
            CHECK(x.node[i].n_blocks == (x.node_rows[i] + QAC_BLOCK_ROWS - 1) / QAC_BLOCK_ROWS);
        }
        CHECK(entries == (row ? x.row_end[row - 1] : 0));
        free(x.stream);
    }
}

static void test_refusals(void)
{
    static const struct {
        uint32_t feature[2], children;
        uint64_t end[2];
        uint16_t child[3];
        int8_t weight[3];
        int status;
    } cases[] = {
        {{1, 2}, 2, {1, 3}, {0, 0, 1}, {-31, 0, 31}, QAC_OK},
        {{1, 1}, 2, {1, 3}, {0, 0, 1}, {-31, 0, 31}, QAC_EINVAL}, /* equal features */
        {{2, 1}, 2, {1, 3}, {0, 0, 1}, {-31, 0, 31}, QAC_EINVAL}, /* descending ones */
        {{1, 2}, 2, {2, 2}, {0, 1, 1}, {-31, 0, 31}, QAC_EINVAL}, /* an empty row */
        {{1, 2}, 2, {1, 3}, {0, 1, 1}, {-31, 0, 31}, QAC_EINVAL}, /* a child twice */
        {{1, 2}, 1, {1, 3}, {0, 0, 1}, {-31, 0, 31}, QAC_EINVAL}, /* a child that is none */
        {{1, 2}, 2, {1, 3}, {0, 0, 1}, {-32, 0, 31}, QAC_EINVAL}, /* a weight below all steps */
        {{1, 2}, 2, {1, 3}, {0, 0, 1}, {-31, 0, 32}, QAC_EINVAL}, /* and one above */
    };
    const uint32_t node_rows = 2;
    uint8_t stream[64];
    uint32_t node_blocks, feature[2], begin[2];
    uint64_t blocks, size;
    CHECK(qac_rows_bound(1, 2, 3) <= sizeof stream);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(qac_rows_encode(&node_rows, &cases[i].children, 1, cases[i].feature, cases[i].end, cases[i].child,
                              cases[i].weight, 6, stream, &node_blocks, feature, begin, &blocks, &size) == cases[i].status);
    for (uint32_t bits = QAC_MIN_WEIGHT_BITS - 1; bits <= QAC_MAX_WEIGHT_BITS + 1; bits += QAC_MAX_WEIGHT_BITS)
        CHECK(qac_rows_encode(&node_rows, &cases[0].children, 1, cases[0].feature, cases[0].end, cases[0].child,
                              cases[0].weight, bits, stream, &node_blocks, feature, begin, &blocks, &size) == QAC_EINVAL);
}

/* Reads all there is; it must end, and inside the stream. */
static void read_all(const example *x)
{
    uint64_t entries;
    for (uint32_t i = 0; i < NODES; i++) {
        row_walk w = rows_of(&x->rows, &x->node[i]);
        for (uint32_t f = 0; f < FEATURES; f += 1 + random_below(12)) {
            const uint32_t n = row_seek(&w, row_block(&x->rows, &x->node[i], f), f);
            if (n)
                CHECK(n <= 8 * x->rows.size);
            for (uint32_t j = 0; j < n; j++)
                row_read(&w);
        }
    }
    check_rows(x, FEATURES, &entries);
}

/* Each byte takes every value in turn: of the stream and of where its blocks begin. */
static void test_damage_of_rows(void)
{
    static example x;
    for (uint32_t round = 0; round < 3; round++) {
        do {
            fill(&x);
            encode(&x);
        } while ((x.rows.size < 100 || x.rows.size > 500) && (free(x.stream), true));
        uint8_t *const parts[] = {x.stream, (uint8_t *)x.block_begin, (uint8_t *)x.block_feature};
        const size_t size[] = {x.rows.size, x.rows.blocks * 4, x.rows.blocks * 4};
        for (int part = 0; part < 3; part++)
            for (size_t at = 0; at < size[part]; at++) {
                const uint8_t right = parts[part][at];
                for (int wrong = 0; wrong < 256; wrong += 1 + round) {
                    parts[part][at] = (uint8_t)wrong;
                    read_all(&x);
                }
                parts[part][at] = right;
            }
        free(x.stream);
    }
}

/* What opening does not see and reading survives, the full check finds; not what might be so: 23 of the bits of weights (of
 * 62 the lowest makes 63, which is none), 9, 4, 9 and 1 of the children, which still ascend, and the low bit of 107. */
static void test_full_check(void)
{
    example x;
    uint64_t entries;
    make_golden(&x);
    const example right = x;
    uint32_t unseen = 0;
    for (size_t bit = 0; bit < 8 * sizeof GOLDEN; bit++) {
        x.stream[bit / 8] ^= (uint8_t)(1 << bit % 8);
        unseen += check_rows(&x, 1001, &entries) == QAC_OK;
        x.stream[bit / 8] = GOLDEN[bit / 8];
    }
    CHECK(check_rows(&x, 1001, &entries) == QAC_OK);
    CHECK(unseen == 23 + 9 + 4 + 9 + 1 + 1);
    x.node[1].block = 0;
    CHECK(check_rows(&x, 1001, &entries) == QAC_ECORRUPT);
    x = right;
    x.node[2].n_blocks = 0;
    CHECK(check_rows(&x, 1001, &entries) == QAC_ECORRUPT);
    x = right;
    x.node[3].n_blocks = 1;
    CHECK(check_rows(&x, 1001, &entries) == QAC_ECORRUPT);
    x = right;
    x.rows.blocks = 1;
    x.node[2].n_blocks = 0;
    CHECK(check_rows(&x, 1001, &entries) == QAC_ECORRUPT); /* bytes that no row of the last block is made of */
    free(right.stream);
}

/* Two nodes' blocks, taken for one's: in all but its last block a node has as many rows as go in. */
static void test_blocks_are_filled(void)
{
    example x = {.node_rows = {1, 1}, .row_feature = {5, 107}, .row_end = {1, 2}, .child = {1, 0}, .weight = {7, -7},
                 .weight_bits = 8, .width = {2, 2, 2, 2, 2, 2}};
    uint64_t entries;
    encode(&x);
    CHECK(check_rows(&x, 108, &entries) == QAC_OK && entries == 2);
    x.node[0].n_blocks = 2;
    x.node[1] = x.node[2];
    CHECK(check_rows(&x, 108, &entries) == QAC_ECORRUPT);
    free(x.stream);
}

void test_rows(void)
{
    test_golden();
    test_what_was_written_is_read();
    test_refusals();
    test_damage_of_rows();
    test_full_check();
    test_blocks_are_filled();
}

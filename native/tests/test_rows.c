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
    const uint64_t bound = qac_rows_bound(rows, rows ? x->row_end[rows - 1] : 0);
    uint8_t *bytes = allocate(bound);
    uint32_t node_blocks[NODES], block = 0;
    uint64_t blocks, size;
    CHECK(qac_rows_encode(x->node_rows, NODES, x->row_feature, x->row_end, x->child, x->weight, bytes, node_blocks,
                          x->block_feature, x->block_begin, &blocks, &size) == QAC_OK);
    CHECK(size <= bound && blocks <= rows);
    for (uint32_t i = 0; i < NODES; block += node_blocks[i++])
        x->node[i] = (qac_node){.block = block, .n_blocks = node_blocks[i], .n_children = x->width[i]};
    x->stream = allocate(size);
    memcpy(x->stream, bytes, size);
    free(bytes);
    x->rows = (qac_rows){x->stream, size, x->block_feature, x->block_begin, blocks};
}

static int check_rows(const example *x, uint32_t features, uint64_t *entries)
{
    const qac_tree tree = {.node = x->node, .nodes = NODES};
    return qac_rows_check(&x->rows, &tree, features, entries);
}

/* Two rows, none, and one: of feature 5, child 0 by -1 and child 300 by 127; of 7, child 2 by 3; of 1000, child 1 by
 * -128. 300 follows 0, so it stands as 600 = 4 * 128 + 88. */
static void test_golden(void)
{
    static const uint8_t bytes[] = {0x01, 0xFF, 0xD8, 0x04, 0x7F, 0x02, 0x04, 0x03, 0x02, 0x80};
    example x = {.node_rows = {2, 0, 1}, .row_feature = {5, 7, 1000}, .row_end = {2, 3, 4}, .child = {0, 300, 2, 1},
                 .weight = {-1, 127, 3, -128}, .width = {301, 2, 2, 2, 2, 2}};
    uint64_t entries;
    encode(&x);
    CHECK(x.rows.size == sizeof bytes && memcmp(x.stream, bytes, sizeof bytes) == 0);
    CHECK(x.rows.blocks == 2 && x.block_feature[0] == 5 && x.block_feature[1] == 1000);
    CHECK(x.block_begin[0] == 0 && x.block_begin[1] == 8);
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
                x->weight[entries++] = (int8_t)random_bits();
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
    row_entry e = {0};
    for (uint64_t at = row ? x->row_end[row - 1] : 0; at < x->row_end[row]; at++) {
        row_read(w, &e);
        CHECK(e.child == x->child[at] && e.weight == x->weight[at] && e.more == (at + 1 < x->row_end[row]));
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
                    CHECK(row_seek(&w, f) == found);
                    if (found)
                        check_row(&x, &w, at);
                }
            }
            row = end;
            for (uint32_t b = 1; b < x.node[i].n_blocks; b++) /* full, all but a node's last */
                CHECK(x.block_begin[x.node[i].block + b] - x.block_begin[x.node[i].block + b - 1] >= QAC_ROW_BLOCK);
        }
        CHECK(entries == (row ? x.row_end[row - 1] : 0));
        free(x.stream);
    }
}

static void test_refusals(void)
{
    const uint32_t node_rows = 2, ascending[] = {1, 2}, equal[] = {1, 1}, backwards[] = {2, 1};
    const uint64_t end[] = {1, 3}, empty_row[] = {2, 2};
    const uint16_t child[] = {0, 0, 1}, same_child[] = {0, 1, 1};
    const int8_t weight[] = {1, 2, 3};
    uint8_t stream[32];
    uint32_t node_blocks, feature[2], begin[2];
    uint64_t blocks, size;
    CHECK(qac_rows_bound(2, 3) <= sizeof stream);
    CHECK(qac_rows_encode(&node_rows, 1, ascending, end, child, weight, stream, &node_blocks, feature, begin, &blocks,
                          &size) == QAC_OK);
    CHECK(qac_rows_encode(&node_rows, 1, equal, end, child, weight, stream, &node_blocks, feature, begin, &blocks, &size) ==
          QAC_EINVAL);
    CHECK(qac_rows_encode(&node_rows, 1, backwards, end, child, weight, stream, &node_blocks, feature, begin, &blocks,
                          &size) == QAC_EINVAL);
    CHECK(qac_rows_encode(&node_rows, 1, ascending, empty_row, same_child, weight, stream, &node_blocks, feature, begin,
                          &blocks, &size) == QAC_EINVAL);
    CHECK(qac_rows_encode(&node_rows, 1, ascending, end, same_child, weight, stream, &node_blocks, feature, begin, &blocks,
                          &size) == QAC_EINVAL);
}

/* Reads all there is; it must end, and inside the stream. */
static void read_all(const example *x)
{
    uint64_t entries;
    for (uint32_t i = 0; i < NODES; i++) {
        row_walk w = rows_of(&x->rows, &x->node[i]);
        for (uint32_t f = 0; f < FEATURES; f += 1 + random_below(3)) {
            if (!row_seek(&w, f))
                continue;
            row_entry e = {0};
            uint64_t n = 0;
            do {
                row_read(&w, &e);
                n++;
            } while (e.more);
            CHECK(n <= x->rows.size);
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

/* What opening does not see and reading survives, the full check finds: blocks that are left out, repeated or cut. */
static void test_full_check(void)
{
    example x = {.node_rows = {2, 0, 1}, .row_feature = {5, 7, 1000}, .row_end = {2, 3, 4}, .child = {0, 300, 2, 1},
                 .weight = {-1, 127, 3, -128}, .width = {301, 2, 2, 2, 2, 2}};
    uint64_t entries;
    encode(&x);
    const example right = x;
    const struct {
        size_t at;
        uint8_t wrong;
    } bytes[] = {{5, 0x00}, {5, 0x80}, {4, 0x80}, {2, 0xDA}, {9, 0x80}, {8, 0x03}, {8, 0x82}, {0, 0x03}, {6, 0x05}};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        const uint8_t kept = x.stream[bytes[i].at];
        x.stream[bytes[i].at] = bytes[i].wrong;
        const bool sound = bytes[i].at == 4 || bytes[i].at == 9; /* weights may be anything */
        CHECK((check_rows(&x, 1001, &entries) == QAC_OK) == sound);
        x.stream[bytes[i].at] = kept;
    }
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

void test_rows(void)
{
    test_golden();
    test_what_was_written_is_read();
    test_refusals();
    test_damage_of_rows();
    test_full_check();
}

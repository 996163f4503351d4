/* rows.h - reading rankers' weights: the rows of a node, one after the other. */
#ifndef QAC_ROWS_H
#define QAC_ROWS_H

#include "core.h"

typedef struct {
    const qac_rows *rows;
    uint32_t block; /* the open one */
    uint32_t child_bits, weight_bits;
    /* Of the open block: */
    const uint8_t *p; /* NULL: none is open yet, or it is damaged */
    uint64_t high;
    uint32_t first, n_rows, low_bits;
    uint64_t n_entries;
    uint64_t last_at, entries_at; /* in bits from p */
    uint64_t at;                  /* the next entry to be read */
} row_walk;

typedef struct {
    uint32_t child;
    int32_t weight; /* in steps of the node's scale */
} row_entry;

/* 56 bits or more of a stream from bit `at`, the first the lowest; what follows them is 0 or the stream's. */
static inline uint64_t bits_at(const uint8_t *p, uint64_t at)
{
    uint64_t x;
    memcpy(&x, p + (at >> 3), 8);
    return x >> (at & 7);
}

static inline uint64_t lowest(uint64_t x, uint32_t n) { return x & (((uint64_t)1 << n) - 1); }

/* Bits that a child's number needs among so many. */
static inline uint32_t child_bits(uint32_t n_children)
{
    return n_children > 1 ? 32 - (uint32_t)__builtin_clz(n_children - 1) : 0;
}

/* The largest weight of so many bits; its negative is the least. */
static inline int32_t largest_weight(uint32_t bits) { return (1 << (bits - 1)) - 1; }

static inline row_walk rows_of(const qac_rows *rows, const qac_node *node)
{
    return (row_walk){.rows = rows,
                      .child_bits = child_bits(node->n_children),
                      .weight_bits = rows->weight_bits};
}

/* The block of the node that has the row of `feature`, if any has; else QAC_NO_ID. The processor begins to load it. */
static inline uint32_t row_block(const qac_rows *rows, const qac_node *node, uint32_t feature)
{
    const uint32_t end = node->block + node->n_blocks;
    const uint32_t after = qac_lower_bound(rows->block_feature, node->block, end, feature + 1);
    if (after == node->block)
        return QAC_NO_ID;
    __builtin_prefetch((const void *)((uintptr_t)rows->stream + rows->block_begin[after - 1])); /* may be anywhere */
    return after - 1;
}

/* Goes to the row of `feature`, its block being that of row_block; returns how many entries it has, 0: there is none. */
uint32_t row_seek(row_walk *w, uint32_t block, uint32_t feature);

/* Reads the next entry of that row. Its child may be none of the node's in a damaged file. */
static inline row_entry row_read(row_walk *w)
{
    const uint32_t size = w->child_bits + w->weight_bits;
    const uint64_t x = bits_at(w->p, w->entries_at + w->at++ * size);
    const uint32_t weight = (uint32_t)lowest(x >> w->child_bits, w->weight_bits);
    return (row_entry){(uint32_t)lowest(x, w->child_bits), (int32_t)weight - largest_weight(w->weight_bits)};
}

#endif

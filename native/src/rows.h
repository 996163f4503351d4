/* rows.h - reading rankers' weights: a walk over a node's rows for features that ascend. */
#ifndef QAC_ROWS_H
#define QAC_ROWS_H

#include "core.h"

typedef struct {
    const qac_rows *rows;
    uint32_t block, blocks_end; /* the node's blocks from the open one on */
    const uint8_t *p, *end;     /* in the open block; NULL: none is open yet */
    uint32_t feature;           /* of the row whose entries begin at p; QAC_NO_ID: the block has no more */
} row_walk;

typedef struct {
    uint32_t child; /* QAC_NO_ID: damaged */
    int8_t weight;
    bool more;      /* another entry of the row follows */
} row_entry;

static inline row_walk rows_of(const qac_rows *rows, const qac_node *node)
{
    return (row_walk){.rows = rows, .block = node->block, .blocks_end = node->block + node->n_blocks};
}

/* The feature of the row that begins at p, behind one of `feature`, or QAC_NO_ID; sets *entries to where its entries begin. */
static inline uint32_t row_next(const uint8_t *p, const uint8_t *end, uint32_t feature, const uint8_t **entries)
{
    uint32_t difference = 0;
    *entries = p;
    if (p == end)
        return QAC_NO_ID;
    qac_get(entries, end, &difference); /* damaged: 0 */
    return feature + difference;
}

/* Goes forward to the row of `feature`; false when there is none. All its entries must be read before the next seek. */
bool row_seek(row_walk *w, uint32_t feature);

/* Reads the next entry; `e` is all zero before a row's first. Behind a row's last the walk is at the next row. */
static inline void row_read(row_walk *w, row_entry *e)
{
    uint32_t x;
    if (qac_get(&w->p, w->end, &x) && w->p < w->end) {
        e->child += x >> 1;
        e->weight = (int8_t)*w->p++;
        e->more = x & 1;
        if (e->more)
            return;
        w->feature = row_next(w->p, w->end, w->feature, &w->p);
    } else {
        *e = (row_entry){.child = QAC_NO_ID};
        w->p = w->end;
        w->feature = QAC_NO_ID;
    }
}

#endif

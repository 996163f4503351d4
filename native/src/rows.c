/* rows.c - rankers' weights as a model stores them: written, read, checked. qac.h (qac_rows) has the layout.
 *
 * Rows are short (1.5 entries on average), so what a row costs beside its entries decides the size: here one or two bytes.
 * Blocks per node that all siblings share are the layout of Etter et al., "Accelerating Inference for Sparse Extreme
 * Multi-Label Ranking Trees" (MSCM, arXiv 2106.02697).
 */
#include "rows.h"

/* ---- writing ---- */

enum { MOST_CHILD = 3 }; /* bytes of 2 * child + 1 at most */

uint64_t qac_rows_bound(uint64_t rows, uint64_t entries)
{
    return rows * QAC_MOST_VARINT + entries * (MOST_CHILD + 1);
}

static uint8_t *put_entries(uint8_t *p, const uint16_t *child, const int8_t *weight, uint64_t n)
{
    uint32_t before = 0;
    for (uint64_t i = 0; i < n; before = child[i++]) {
        if (i && child[i] <= before)
            return NULL;
        p = qac_put(p, 2 * (child[i] - before) + (i + 1 < n));
        *p++ = (uint8_t)weight[i];
    }
    return p;
}

int qac_rows_encode(const uint32_t *node_rows, uint32_t nodes, const uint32_t *row_feature, const uint64_t *row_end,
                    const uint16_t *child, const int8_t *weight, uint8_t *stream, uint32_t *node_blocks,
                    uint32_t *block_feature, uint32_t *block_begin, uint64_t *blocks, uint64_t *size)
{
    uint8_t *p = stream;
    uint64_t row = 0, entry = 0;
    *blocks = 0;
    for (uint32_t i = 0; i < nodes; i++) {
        const uint64_t first = row, before = *blocks;
        const uint8_t *begin = p; /* of the open block */
        for (; row < first + node_rows[i]; entry = row_end[row++]) {
            if (row_end[row] <= entry || (row > first && row_feature[row] <= row_feature[row - 1]))
                return QAC_EINVAL;
            if (row == first || p - begin >= QAC_ROW_BLOCK) {
                begin = p;
                block_feature[*blocks] = row_feature[row];
                block_begin[(*blocks)++] = (uint32_t)(p - stream);
            } else {
                p = qac_put(p, row_feature[row] - row_feature[row - 1]);
            }
            p = put_entries(p, child + entry, weight + entry, row_end[row] - entry);
            if (!p)
                return QAC_EINVAL;
        }
        node_blocks[i] = (uint32_t)(*blocks - before);
    }
    *size = (uint64_t)(p - stream);
    return QAC_OK;
}

/* ---- reading ---- */

static void open_block(row_walk *w, uint32_t block)
{
    const qac_rows *r = w->rows;
    const uint64_t begin = r->block_begin[block], end = block + 1 < r->blocks ? r->block_begin[block + 1] : r->size;
    const bool sound = begin < end && end <= r->size;
    w->block = block;
    w->p = sound ? r->stream + begin : r->stream;
    w->end = sound ? r->stream + end : r->stream;
    w->feature = sound ? r->block_feature[block] : QAC_NO_ID;
}

/* Behind the entries of a row that begins at p, or end. */
static const uint8_t *skip_entries(const uint8_t *p, const uint8_t *end)
{
    while (end - p >= 2) {
        const bool more = *p & 1;
        while (*p & 0x80 && end - p > 2)
            p++;
        p += 2;
        if (!more)
            return p;
    }
    return end;
}

bool row_seek(row_walk *w, uint32_t feature)
{
    /* The last block that begins with this feature or one before it; blocks before the open one are behind us. */
    const uint32_t after = qac_lower_bound(w->rows->block_feature, w->block, w->blocks_end, feature + 1);
    if (after == w->block)
        return false;
    if (!w->p || after - 1 != w->block)
        open_block(w, after - 1);
    const uint8_t *p = w->p;
    uint32_t at = w->feature;
    while (at < feature)
        at = row_next(skip_entries(p, w->end), w->end, at, &p);
    w->p = p;
    w->feature = at;
    return w->feature == feature && feature != QAC_NO_ID;
}

/* ---- checking ---- */

/* Checks a block's rows; *before is the feature before them, QAC_NO_ID for none. */
static bool check_block(const qac_rows *r, uint32_t block, const qac_node *node, uint32_t features, uint32_t *before,
                        uint64_t *entries)
{
    row_walk w = {.rows = r};
    open_block(&w, block);
    if (w.feature == QAC_NO_ID)
        return false;
    while (w.feature != QAC_NO_ID) {
        if (w.feature >= features || (*before != QAC_NO_ID && w.feature <= *before))
            return false;
        *before = w.feature;
        row_entry e = {0};
        for (bool first = true; first || e.more; first = false) {
            const uint32_t child = e.child;
            row_read(&w, &e);
            if (e.child >= node->n_children || (!first && e.child <= child))
                return false;
            ++*entries;
        }
    }
    return true;
}

int qac_rows_check(const qac_rows *rows, const qac_tree *tree, uint32_t features, uint64_t *entries)
{
    uint64_t block = 0;
    *entries = 0;
    for (uint32_t i = 0; i < tree->nodes; i++) {
        const qac_node *node = &tree->node[i];
        uint32_t before = QAC_NO_ID;
        if (node->block != block || node->n_blocks > rows->blocks - block)
            return QAC_ECORRUPT;
        for (; block < (uint64_t)node->block + node->n_blocks; block++)
            if (!check_block(rows, (uint32_t)block, node, features, &before, entries))
                return QAC_ECORRUPT;
    }
    return block == rows->blocks && (block ? rows->block_begin[0] == 0 : rows->size == 0) ? QAC_OK : QAC_ECORRUPT;
}

/* rows.c - rankers' weights as a model stores them: written, read, checked. qac.h (qac_rows) has the layout.
 *
 * Rows are short (1.3 entries on average), so what a row costs beside its entries decides the size. Which features a node
 * has is a list of ascending numbers, kept as Elias and Fano do (Vigna, "Quasi-succinct indices", WSDM 2013): all but the
 * low bits of the numbers in unary, the low bits as they are; a number is found without reading those before it. Blocks per
 * node that all siblings share are the layout of Etter et al., "Accelerating Inference for Sparse Extreme Multi-Label
 * Ranking Trees" (MSCM, arXiv 2106.02697).
 */
#include "rows.h"

enum {
    HIGH = 64,                /* bits of the unary part */
    HEADER = HIGH + 16,       /* and the sizes */
    ROWS_BITS = 5,            /* rows of a block, less 1 */
    LOW_BITS = 5,             /* how many low bits */
    MORE_BITS = 6,            /* entries beyond one for each row */
    MANY = (1 << MORE_BITS) - 1, /* so many or more: the number follows, in 32 bits */
    PADDING = 8               /* zero bytes behind the last block: bits_at reads eight at once */
};

/* ---- writing ---- */

uint64_t qac_rows_bound(uint64_t nodes, uint64_t rows, uint64_t entries)
{
    const uint64_t blocks = rows / QAC_BLOCK_ROWS + (nodes < rows ? nodes : rows);
    return blocks * ((HEADER + 32) / 8 + 1) + rows * 4 + entries * 4 + PADDING;
}

typedef struct {
    uint8_t *byte;
    uint64_t bits; /* written */
} bit_writer;

static void put(bit_writer *w, uint64_t x, uint32_t n)
{
    for (uint32_t done = 0; done < n;) {
        const uint32_t shift = w->bits & 7, some = n - done < 8 - shift ? n - done : 8 - shift;
        uint8_t *byte = &w->byte[w->bits >> 3];
        *byte = (uint8_t)((shift ? *byte : 0) | lowest(x >> done, some) << shift);
        w->bits += some;
        done += some;
    }
}

/* The fewest low bits that leave room in the unary part for the largest of n numbers. */
static uint32_t low_bits_for(uint32_t n, uint32_t largest)
{
    uint32_t bits = 0;
    while (largest >> bits > HIGH - n)
        bits++;
    return bits;
}

static bool is_sound(const uint32_t *feature, const uint64_t *end, uint32_t n, uint64_t entry, const uint16_t *child,
                     const int8_t *weight, uint32_t n_children, int32_t largest)
{
    if (n_children > UINT16_MAX + 1u) /* children are numbers of 16 bits */
        return false;
    for (uint32_t i = 0; i < n; entry = end[i++]) {
        if (end[i] <= entry || (i && feature[i] <= feature[i - 1]))
            return false;
        for (uint64_t j = entry; j < end[i]; j++)
            if (child[j] >= n_children || (j > entry && child[j] <= child[j - 1]) || weight[j] < -largest ||
                weight[j] > largest)
                return false;
    }
    return true;
}

/* Writes one block: the n rows that end at end[0..n), whose entries begin at `entry`. */
static void put_block(bit_writer *w, const uint32_t *feature, const uint64_t *end, uint32_t n, uint64_t entry,
                      const uint16_t *child, const int8_t *weight, uint32_t bits_of_child, uint32_t weight_bits)
{
    const uint64_t more = end[n - 1] - entry - n;
    const uint32_t low = low_bits_for(n, feature[n - 1] - feature[0]);
    uint64_t high = 0;
    for (uint32_t i = 0; i < n; i++)
        high |= (uint64_t)1 << (((feature[i] - feature[0]) >> low) + i);
    put(w, high, HIGH);
    put(w, n - 1, ROWS_BITS);
    put(w, low, LOW_BITS);
    put(w, more < MANY ? more : MANY, MORE_BITS);
    if (more >= MANY)
        put(w, more, 32);
    for (uint32_t i = 0; i < n; i++)
        put(w, feature[i] - feature[0], low);
    for (uint64_t i = 0, at = entry; i < n; at = end[i++])
        for (uint64_t j = at; j < end[i]; j++)
            put(w, j + 1 == end[i], 1);
    for (uint64_t j = entry; j < end[n - 1]; j++) {
        put(w, child[j], bits_of_child);
        put(w, (uint64_t)(weight[j] + largest_weight(weight_bits)), weight_bits);
    }
    put(w, 0, (uint32_t)(-w->bits & 7));
}

int qac_rows_encode(const uint32_t *node_rows, const uint32_t *node_children, uint32_t nodes, const uint32_t *row_feature,
                    const uint64_t *row_end, const uint16_t *child, const int8_t *weight, uint32_t weight_bits, uint8_t *stream,
                    uint32_t *node_blocks, uint32_t *block_feature, uint32_t *block_begin, uint64_t *blocks, uint64_t *size)
{
    bit_writer w = {stream, 0};
    uint64_t row = 0, entry = 0;
    *blocks = 0;
    if (weight_bits < QAC_MIN_WEIGHT_BITS || weight_bits > QAC_MAX_WEIGHT_BITS)
        return QAC_EINVAL;
    for (uint32_t i = 0; i < nodes; i++) {
        const uint64_t before = *blocks, rows_end = row + node_rows[i];
        if (!is_sound(row_feature + row, row_end + row, node_rows[i], entry, child, weight, node_children[i],
                      largest_weight(weight_bits)))
            return QAC_EINVAL;
        while (row < rows_end) {
            const uint32_t n = rows_end - row < QAC_BLOCK_ROWS ? (uint32_t)(rows_end - row) : QAC_BLOCK_ROWS;
            block_feature[*blocks] = row_feature[row];
            block_begin[(*blocks)++] = (uint32_t)(w.bits >> 3);
            put_block(&w, row_feature + row, row_end + row, n, entry, child, weight, child_bits(node_children[i]),
                      weight_bits);
            row += n;
            entry = row_end[row - 1];
        }
        node_blocks[i] = (uint32_t)(*blocks - before);
    }
    memset(stream + (w.bits >> 3), 0, PADDING);
    *size = (w.bits >> 3) + PADDING;
    return QAC_OK;
}

/* ---- reading ---- */

static uint64_t bits_of_block(const row_walk *w)
{
    return w->entries_at + w->n_entries * (w->child_bits + w->weight_bits);
}

/* Opens a block; what does not fit into its bytes is not opened. */
static void open_block(row_walk *w, uint32_t block)
{
    const qac_rows *r = w->rows;
    const uint64_t stop = r->size < PADDING ? 0 : r->size - PADDING;
    const uint64_t begin = r->block_begin[block], end = block + 1 < r->blocks ? r->block_begin[block + 1] : stop;
    w->block = block;
    w->p = NULL;
    if (end > stop || begin > end || end - begin < HEADER / 8)
        return;
    const uint8_t *p = r->stream + begin;
    const uint64_t sizes = bits_at(p, HIGH), more = lowest(sizes >> (ROWS_BITS + LOW_BITS), MORE_BITS);
    const bool is_many = more == MANY;
    w->first = r->block_feature[block];
    w->high = bits_at(p, 0);
    w->n_rows = (uint32_t)lowest(sizes, ROWS_BITS) + 1;
    w->low_bits = (uint32_t)lowest(sizes >> ROWS_BITS, LOW_BITS);
    w->n_entries = w->n_rows + (is_many ? lowest(bits_at(p, HEADER), 32) : more);
    w->last_at = HEADER + (is_many ? 32 : 0) + (uint64_t)w->n_rows * w->low_bits;
    w->entries_at = w->last_at + w->n_entries;
    if (bits_of_block(w) <= 8 * (end - begin))
        w->p = p;
}

static uint32_t low_of(const row_walk *w, uint32_t row)
{
    const uint64_t at = w->last_at - (uint64_t)(w->n_rows - row) * w->low_bits;
    return (uint32_t)lowest(bits_at(w->p, at), w->low_bits);
}

/* The number of the block's row of a feature, `difference` after its first one, or n_rows. */
static uint32_t find_row(const row_walk *w, uint32_t difference)
{
    const uint32_t high = difference >> w->low_bits, low = (uint32_t)lowest(difference, w->low_bits);
    uint32_t at = 0; /* of the bit behind as many zeros as its number's high part: where rows of that part begin */
    if (high >= HIGH)
        return w->n_rows;
    if (high) {
        uint64_t zeros = ~w->high;
        for (uint32_t i = 1; i < high; i++)
            zeros &= zeros - 1;
        if (!zeros)
            return w->n_rows;
        at = (uint32_t)__builtin_ctzll(zeros) + 1;
    }
    for (uint32_t row = at - high; at < HIGH && w->high >> at & 1 && row < w->n_rows; at++, row++) {
        const uint32_t its = low_of(w, row);
        if (its >= low)
            return its == low ? row : w->n_rows;
    }
    return w->n_rows;
}

/* The place of the nth entry, n >= 1, of those from `at` on that are their row's last; n_entries: there is none. */
static uint64_t select_last(const row_walk *w, uint64_t at, uint32_t n)
{
    enum { STEP = 56 };
    for (; at < w->n_entries; at += STEP) {
        uint64_t last = lowest(bits_at(w->p, w->last_at + at), STEP);
        while (last && --n)
            last &= last - 1;
        if (last)
            return at + (uint32_t)__builtin_ctzll(last);
    }
    return w->n_entries;
}

uint32_t row_seek(row_walk *w, uint32_t block, uint32_t feature)
{
    if (block == QAC_NO_ID)
        return 0;
    if (!w->p || block != w->block)
        open_block(w, block);
    if (!w->p)
        return 0;
    const uint32_t row = find_row(w, feature - w->first);
    if (row == w->n_rows)
        return 0;
    w->at = row;
    if (w->n_entries == w->n_rows)
        return 1;
    w->at = row ? select_last(w, 0, row) + 1 : 0;
    const uint64_t last = select_last(w, w->at, 1);
    return last < w->n_entries ? (uint32_t)(last + 1 - w->at) : 0;
}

/* ---- checking ---- */

static bool check_row(row_walk *w, uint32_t n_children)
{
    const uint64_t last = select_last(w, w->at, 1);
    if (last >= w->n_entries)
        return false;
    for (uint32_t before = QAC_NO_ID; w->at <= last;) {
        const row_entry e = row_read(w);
        if (e.child >= n_children || (before != QAC_NO_ID && e.child <= before) || e.weight > largest_weight(w->weight_bits))
            return false;
        before = e.child;
    }
    return true;
}

/* Is the open block, of so many bytes, as put_block writes it? Its features are checked apart. */
static bool is_whole(const row_walk *w, uint64_t size)
{
    const uint64_t bits = bits_of_block(w);
    const bool is_many = w->n_entries - w->n_rows >= MANY;
    return (uint32_t)__builtin_popcountll(w->high) == w->n_rows && (w->high & 1) && low_of(w, 0) == 0 &&
           w->last_at == HEADER + (is_many ? 32 : 0) + (uint64_t)w->n_rows * w->low_bits && (bits + 7) / 8 == size &&
           lowest(bits_at(w->p, bits), (uint32_t)(8 * size - bits)) == 0;
}

/* Checks a block; *before is the feature before its first, QAC_NO_ID for none. */
static bool check_block(row_walk *w, uint32_t block, const qac_node *node, uint32_t features, uint32_t *before)
{
    const qac_rows *r = w->rows;
    open_block(w, block);
    if (!w->p || !is_whole(w, (block + 1 < r->blocks ? r->block_begin[block + 1] : r->size - PADDING) - r->block_begin[block]))
        return false;
    uint64_t high = w->high, difference = 0;
    w->at = 0;
    for (uint32_t row = 0; row < w->n_rows; row++, high &= high - 1) {
        difference = ((uint64_t)__builtin_ctzll(high) - row) << w->low_bits | low_of(w, row);
        const uint64_t feature = w->first + difference;
        if (feature >= features || (*before != QAC_NO_ID && feature <= *before) || !check_row(w, node->n_children))
            return false;
        *before = (uint32_t)feature;
    }
    return w->at == w->n_entries && w->low_bits == low_bits_for(w->n_rows, (uint32_t)difference);
}

int qac_rows_check(const qac_rows *rows, const qac_tree *tree, uint32_t features, uint64_t *entries)
{
    uint64_t block = 0;
    *entries = 0;
    if (rows->size < PADDING || bits_at(rows->stream, 8 * (rows->size - PADDING)) ||
        (rows->blocks ? rows->block_begin[0] != 0 : rows->size != PADDING))
        return QAC_ECORRUPT;
    for (uint32_t i = 0; i < tree->nodes; i++) {
        const qac_node *node = &tree->node[i];
        uint32_t before = QAC_NO_ID;
        row_walk w = rows_of(rows, node);
        if (node->block != block || node->n_blocks > rows->blocks - block)
            return QAC_ECORRUPT;
        for (; block < (uint64_t)node->block + node->n_blocks; block++) {
            const bool is_last = block + 1 == (uint64_t)node->block + node->n_blocks;
            if (!check_block(&w, (uint32_t)block, node, features, &before) || (!is_last && w.n_rows != QAC_BLOCK_ROWS))
                return QAC_ECORRUPT;
            *entries += w.n_entries;
        }
    }
    return block == rows->blocks ? QAC_OK : QAC_ECORRUPT;
}

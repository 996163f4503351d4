/* labels.c - sorted strings, front-coded in blocks and read in place.
 *
 * A block holds 16 strings. The first stands whole; each other one as what it shares with the string before it and its
 * own rest. Lengths are variable-length integers (qac_put):
 *
 *   block:  [length][bytes...]  [shared][length of rest][rest...]  [shared][length of rest][rest...]  ...
 *
 * A look-up is a binary search over the blocks' first strings and a walk through one block. Of each first string the
 * beginning is kept as a number, so that the search seldom looks at a string itself. Of an open model it is also known
 * where the strings begin that start with each two bytes: most searches are for a place among those.
 */
#include "core.h"

uint64_t qac_labels_bound(const uint64_t *end, uint64_t n) { return n ? end[n - 1] + 10 * n : 0; }

/* The first eight bytes as a number: numbers ascend as the strings do, as far as eight bytes tell. */
static uint64_t head_of(const char *s, size_t len) { return __builtin_bswap64(load_bytes(s, len)); }

int qac_labels_encode(const char *text, const uint64_t *end, uint64_t n, uint8_t *out, qac_label_block *block,
                      uint64_t *size)
{
    uint8_t *p = out;
    const char *before = NULL;
    size_t before_len = 0;
    for (uint64_t i = 0, begin = 0; i < n; begin = end[i++]) {
        const char *s = text + begin;
        if (end[i] < begin || end[i] - begin >= QAC_MAX_LABEL)
            return QAC_EINVAL;
        const size_t len = (size_t)(end[i] - begin);
        size_t shared = 0;
        if (before) {
            shared = common_bytes(before, before_len, s, len);
            const bool ascends = shared < len && (shared == before_len || (uint8_t)before[shared] < (uint8_t)s[shared]);
            if (!ascends)
                return QAC_EINVAL;
        }
        if (i % QAC_LABEL_BLOCK == 0) {
            block[i / QAC_LABEL_BLOCK] = (qac_label_block){(uint64_t)(p - out), head_of(s, len)};
            shared = 0;
        } else {
            p = qac_put(p, (uint32_t)shared);
        }
        p = qac_put(p, (uint32_t)(len - shared));
        memcpy(p, s + shared, len - shared);
        p += len - shared;
        before = s;
        before_len = len;
    }
    *size = (uint64_t)(p - out);
    return QAC_OK;
}

int qac_labels_lcp(const char *text, const uint64_t *end, uint64_t n, uint32_t *lcp)
{
    for (uint64_t i = 0, begin = 0, before = 0; i < n; before = begin, begin = end[i++]) {
        if (end[i] < begin)
            return QAC_EINVAL;
        lcp[i] = 0;
        if (i == 0)
            continue;
        const size_t len = (size_t)(end[i] - begin);
        size_t shared = common_bytes(text + before, (size_t)(begin - before), text + begin, len);
        while (shared > 0 && shared < len && !qac_starts_code_point(text[begin + shared]))
            shared--;
        lcp[i] = (uint32_t)shared;
    }
    return QAC_OK;
}

/* The first string of a block, which stands whole. Sets *p behind its length. */
static bool block_start(const qac_label_strings *strings, uint64_t block, const uint8_t **p, uint32_t *len)
{
    if (strings->block[block].begin >= strings->size)
        return false;
    const uint8_t *const end = strings->text + strings->size;
    *p = strings->text + strings->block[block].begin;
    return qac_get(p, end, len) && *len <= (size_t)(end - *p);
}

/* What a string that is not the first of its block shares with the one before, and the length of its rest. */
static inline bool get_lengths(const uint8_t **p, const uint8_t *end, uint32_t *shared, uint32_t *rest)
{
    if (end - *p >= 2 && ((*p)[0] | (*p)[1]) < 0x80) { /* nearly all */
        *shared = (*p)[0];
        *rest = (*p)[1];
        *p += 2;
    } else if (!qac_get(p, end, shared) || !qac_get(p, end, rest)) {
        return false;
    }
    return *rest <= (size_t)(end - *p);
}

int qac_label_decode(const qac_label_strings *strings, uint32_t i, char *out)
{
    const uint8_t *const end = strings->text + strings->size, *rest[QAC_LABEL_BLOCK];
    uint32_t from_before[QAC_LABEL_BLOCK] = {0}, rest_len, at = 0;
    if (i >= strings->n || !block_start(strings, i / QAC_LABEL_BLOCK, &rest[0], &rest_len) || rest_len >= QAC_MAX_LABEL)
        return -1;
    uint32_t len = rest_len;
    while (at < i % QAC_LABEL_BLOCK) {
        const uint8_t *p = rest[at++] + rest_len;
        if (!get_lengths(&p, end, &from_before[at], &rest_len) || from_before[at] > len ||
            rest_len >= QAC_MAX_LABEL - from_before[at])
            return -1;
        rest[at] = p;
        len = from_before[at] + rest_len;
    }
    /* Backwards: of each string before it only what is still missing. */
    for (uint32_t missing = len; missing; at--)
        if (from_before[at] < missing) {
            memcpy(out + from_before[at], rest[at], missing - from_before[at]);
            missing = from_before[at];
        }
    return (int)len;
}

int qac_labels_decode(const uint8_t *strings, uint64_t size, const qac_label_block *block, uint32_t n, uint32_t i,
                      char *out, size_t *len)
{
    const qac_label_strings all = {strings, size, block, n, {0}};
    const int decoded = qac_label_decode(&all, i, out);
    if (decoded < 0)
        return QAC_ECORRUPT;
    *len = (size_t)decoded;
    return QAC_OK;
}

/* Does string s stand before the wanted bound of key? Sets *shared to how many bytes they share. */
static inline bool is_before(const uint8_t *s, size_t len, const char *key, size_t key_len, bool upper, size_t *shared)
{
    *shared = common_bytes((const char *)s, len, key, key_len);
    if (*shared == key_len)
        return upper; /* s starts with key (or is it): before the upper bound, not before the lower */
    return *shared == len || s[*shared] < (uint8_t)key[*shared];
}

/* A bound that is sought. */
typedef struct {
    const char *key;
    size_t len;
    bool upper;
    uint64_t head, seen; /* seen: bits that the key has of eight bytes */
} bound;

/* Does the first string of a block stand before the bound? Returns -1 on damage. */
static inline int block_is_before(const qac_label_strings *strings, const bound *x, uint64_t block)
{
    const uint64_t its = strings->block[block].head & x->seen;
    const uint8_t *p;
    uint32_t n;
    size_t shared;
    if (its != x->head)
        return its < x->head;
    return block_start(strings, block, &p, &n) ? is_before(p, n, x->key, x->len, x->upper, &shared) : -1;
}

/* Number of the last block among those of [lo, hi) whose first string is before the bound, or of the first of them.
 * Returns false on damage. */
static bool find_block(const qac_label_strings *strings, const bound *x, uint32_t lo, uint32_t hi, uint64_t *block)
{
    uint64_t a = lo / QAC_LABEL_BLOCK + 1, b = ((uint64_t)hi + QAC_LABEL_BLOCK - 1) / QAC_LABEL_BLOCK;
    int before = 1;
    /* What starts with a prefix mostly ends soon after it began: steps grow from there. */
    for (uint64_t step = 1; x->upper && before > 0 && a + step < b; step *= 2) {
        before = block_is_before(strings, x, a + step);
        if (before > 0)
            a += step + 1;
        else
            b = a + step;
    }
    while (a < b && before >= 0) {
        const uint64_t mid = a + (b - a) / 2;
        before = block_is_before(strings, x, mid);
        if (before > 0)
            a = mid + 1;
        else
            b = mid;
    }
    *block = a - 1;
    return before >= 0;
}

label_place qac_label_seek(const qac_label_strings *strings, const char *key, size_t len, bool upper, uint32_t lo, uint32_t hi)
{
    const label_place none = {.at = hi}, damaged = {.at = lo};
    const bound x = {key, len, upper, head_of(key, len), len < 8 ? ~(~0ull >> (8 * len)) : ~0ull};
    const uint8_t *p, *const end = strings->text + strings->size;
    uint64_t block;
    uint32_t from_key = 0, rest;
    size_t shared;
    if (lo >= hi)
        return none;
    if (!find_block(strings, &x, lo, hi, &block) || !block_start(strings, block, &p, &rest))
        return damaged;
    uint32_t i = (uint32_t)(block * QAC_LABEL_BLOCK);
    bool before = is_before(p, rest, key, len, upper, &shared);
    /* Strings ascend, so what one shares with the string before it tells most of how it compares with the key. */
    while (before && ++i < hi) {
        p += rest;
        if (i % QAC_LABEL_BLOCK == 0) {
            if (!block_start(strings, i / QAC_LABEL_BLOCK, &p, &rest))
                return damaged;
            from_key = 0;
            before = is_before(p, rest, key, len, upper, &shared);
            continue;
        }
        if (!get_lengths(&p, end, &from_key, &rest))
            return damaged;
        if (from_key > shared) /* as most: on the same side as the one before */
            continue;
        if (from_key < shared) {
            before = false;
            shared = from_key;
        } else if (shared < len && rest > 0 && p[0] >= (uint8_t)key[shared]) {
            size_t more;
            before = is_before(p, rest, key + shared, len - shared, upper, &more);
            shared += more;
        }
    }
    return before ? none : (label_place){i < lo ? lo : i, shared, from_key, p, rest};
}

bool qac_label_next(label_reader *r, label_place *label)
{
    const qac_label_strings *strings = r->strings;
    const uint8_t *const end = strings->text + strings->size;
    uint32_t from_before = 0, rest;
    if (r->next >= strings->n)
        return false;
    if (r->next % QAC_LABEL_BLOCK == 0) {
        if (!block_start(strings, r->next / QAC_LABEL_BLOCK, &r->p, &rest))
            return false;
    } else if (!get_lengths(&r->p, end, &from_before, &rest)) {
        return false;
    }
    *label = (label_place){r->next++, from_before, from_before, r->p, rest};
    r->p += rest;
    return true;
}

uint32_t qac_label_find(const qac_label_strings *strings, const char *key, size_t len, uint32_t lo, uint32_t hi)
{
    const label_place place = qac_label_seek(strings, key, len, false, lo, hi);
    return place.at < hi && place.shared == len && place.from_key + place.rest_len == len ? place.at : QAC_NO_ID;
}

/* ---- by the first two bytes ---- */

/* Adds a pair that begins at `label`; a power of two of them is where room ends. */
static int add_pair(label_pairs *pairs, uint32_t bytes, uint32_t label)
{
    const uint32_t n = pairs->n;
    if ((n & (n - 1)) == 0) {
        const size_t room = n ? 2 * (size_t)n : 1;
        uint32_t *more = QAC_REALLOC(pairs->bytes, room * sizeof *more);
        if (more)
            pairs->bytes = more;
        uint32_t *places = more ? QAC_REALLOC(pairs->begin, (room + 1) * sizeof *places) : NULL;
        if (!places)
            return QAC_ENOMEM;
        pairs->begin = places;
    }
    pairs->bytes[n] = bytes;
    pairs->begin[n] = label;
    pairs->n++;
    return QAC_OK;
}

/* The place's label's byte i, 0 behind its end. */
static uint32_t byte_of(const label_place *x, const char *key, size_t i)
{
    if (i < x->from_key)
        return (uint8_t)key[i];
    return i - x->from_key < x->rest_len ? x->rest[i - x->from_key] : 0;
}

int qac_label_find_pairs(qac_label_strings *strings)
{
    label_pairs *pairs = &strings->pairs;
    char key[2] = {0, 0};
    label_place x = qac_label_seek(strings, key, 0, false, 0, strings->n);
    while (x.at < strings->n) {
        const uint32_t bytes = byte_of(&x, key, 0) << 8 | byte_of(&x, key, 1);
        const bool ascends = pairs->n == 0 || (bytes > pairs->bytes[pairs->n - 1] && x.at > pairs->begin[pairs->n - 1]);
        const int status = ascends ? add_pair(pairs, bytes, x.at) : QAC_ECORRUPT;
        if (status) {
            qac_label_free_pairs(strings);
            return status == QAC_ECORRUPT ? QAC_OK : status; /* requests that read the damage will say so */
        }
        key[0] = (char)(bytes >> 8);
        key[1] = (char)bytes;
        /* What starts with these two; but one byte alone is followed by labels that start with it. */
        x = bytes & 0xFF ? qac_label_seek(strings, key, 2, true, x.at, strings->n)
                         : qac_label_seek(strings, key, 2, false, x.at, strings->n);
    }
    if (pairs->n)
        pairs->begin[pairs->n] = strings->n;
    return QAC_OK;
}

void qac_label_free_pairs(qac_label_strings *strings)
{
    free(strings->pairs.bytes);
    free(strings->pairs.begin);
    strings->pairs = (label_pairs){0};
}

/* The first label whose two first bytes are at least `bytes`. */
static uint32_t pair_bound(const label_pairs *pairs, uint32_t bytes)
{
    return pairs->begin[qac_lower_bound(pairs->bytes, 0, pairs->n, bytes)];
}

void qac_label_pair_range(const qac_label_strings *strings, const char *key, size_t len, uint32_t *lo, uint32_t *hi)
{
    *lo = 0;
    *hi = strings->n;
    if (strings->pairs.n && len) {
        const uint32_t bytes = (uint32_t)(uint8_t)key[0] << 8 | (len > 1 ? (uint8_t)key[1] : 0);
        *lo = pair_bound(&strings->pairs, bytes);
        *hi = pair_bound(&strings->pairs, bytes + (len > 1 ? 1 : 256));
    }
}

void qac_label_range(const qac_label_strings *strings, const char *key, size_t len, uint32_t *lo, uint32_t *hi)
{
    qac_label_pair_range(strings, key, len, lo, hi);
    if (len > (strings->pairs.n ? 2 : 0)) {
        *lo = qac_label_seek(strings, key, len, false, *lo, *hi).at;
        *hi = qac_label_seek(strings, key, len, true, *lo, *hi).at;
    }
}

/* core.h - what the core's own files share. */
#ifndef QAC_CORE_H
#define QAC_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../qac.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "model files are little-endian and read in place: this machine cannot use them"
#endif

/* Every allocation goes through these two, so that a test can make them fail. */
#ifdef QAC_TEST_ALLOC
void *qac_test_malloc(size_t size);
void *qac_test_realloc(void *p, size_t size);
#define QAC_MALLOC(size) qac_test_malloc(size)
#define QAC_REALLOC(p, size) qac_test_realloc(p, size)
#else
#define QAC_MALLOC(size) malloc(size)
#define QAC_REALLOC(p, size) realloc(p, size)
#endif

/* Room for n things of `size` bytes; NULL when out of memory or when the product overflows. Never asks for 0 bytes. */
static inline void *qac_alloc(uint64_t n, size_t size)
{
    if (n > SIZE_MAX / (size ? size : 1))
        return NULL;
    const size_t bytes = (size_t)n * size;
    return QAC_MALLOC(bytes > 0 ? bytes : 1);
}

/* Finaliser of MurmurHash3 (Austin Appleby, public domain): every input bit reaches every output bit. */
static inline uint64_t qac_mix(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ULL;
    h ^= h >> 33;
    return h;
}

static inline uint64_t qac_hash(const char *s, size_t n, uint64_t seed)
{
    uint64_t h = qac_mix(seed ^ (n * 0x9e3779b97f4a7c15ULL));
    while (n >= 8) {
        uint64_t w;
        memcpy(&w, s, 8);
        h = qac_mix(h ^ w) + 0x9e3779b97f4a7c15ULL;
        s += 8;
        n -= 8;
    }
    if (n) {
        uint64_t w = 0;
        memcpy(&w, s, n);
        h = qac_mix(h ^ w);
    }
    return h;
}

/* The first n bytes, at most eight, as a little-endian number, zeros behind them. Two loads that overlap read
 * lengths that are no power of two. */
static inline uint64_t load_bytes(const char *s, size_t n)
{
    uint64_t x = 0;
    if (n >= 8) {
        memcpy(&x, s, 8);
    } else if (n >= 4) {
        uint32_t a, b;
        memcpy(&a, s, 4);
        memcpy(&b, s + n - 4, 4);
        x = a | (uint64_t)b << 8 * (n - 4);
    } else if (n) {
        x = (uint64_t)(uint8_t)s[0] | (uint64_t)(uint8_t)s[n / 2] << 8 * (n / 2) | (uint64_t)(uint8_t)s[n - 1] << 8 * (n - 1);
    }
    return x;
}

/* How many bytes two strings share at their starts. */
static inline size_t common_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    const size_t n = a_len < b_len ? a_len : b_len;
    for (size_t i = 0; i < n; i += 8) {
        const uint64_t differ = load_bytes(a + i, n - i) ^ load_bytes(b + i, n - i);
        if (differ)
            return i + (size_t)__builtin_ctzll(differ) / 8;
    }
    return n;
}

/* One of many numbers of `width` bytes, 1 to 4: a constant, so that it is read at once. */
static inline uint32_t qac_number(const uint8_t *numbers, uint32_t width, uint32_t i)
{
    const uint8_t *const at = numbers + (size_t)width * i;
    uint32_t x = 0;
    if (width == 3)
        return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
    memcpy(&x, at, width);
    return x;
}

/* First of the numbers [begin, end), which ascend, that is >= x, or end. Where x stands cannot be guessed, and a wrong
 * guess costs more than comparisons: halves are chosen without branches, and of the last few all are compared. */
static inline uint32_t qac_number_bound(const uint8_t *numbers, uint32_t width, uint32_t begin, uint32_t end,
                                        uint32_t x)
{
    enum { FEW = 8 };
    uint32_t n = end - begin, at = begin, below = 0;
    if (n == 0)
        return end;
    if (n < FEW) {
        for (uint32_t i = 0; i < FEW - 1; i++)
            below += (i < n) & (qac_number(numbers, width, begin + (i < n ? i : 0)) < x);
        return begin + below;
    }
    for (; n > FEW; n -= n / 2)
        at = qac_number(numbers, width, at + n / 2 - 1) < x ? at + n / 2 : at;
    if (at > end - FEW) /* those before `at` are below x too */
        at = end - FEW;
    for (uint32_t i = 0; i < FEW; i++)
        below += qac_number(numbers, width, at + i) < x;
    return at + below;
}

static inline uint32_t qac_lower_bound(const uint32_t *a, uint32_t begin, uint32_t end, uint32_t x)
{
    return qac_number_bound((const uint8_t *)a, sizeof *a, begin, end, x);
}

/* Variable-length integers: 7 bits a byte, the lowest first, high bit = more. At most QAC_MOST_VARINT bytes. */
enum { QAC_MOST_VARINT = 5 };

static inline uint8_t *qac_put(uint8_t *p, uint32_t x)
{
    for (; x >= 0x80; x >>= 7)
        *p++ = (uint8_t)(x | 0x80);
    *p++ = (uint8_t)x;
    return p;
}

/* Reads an integer at *p, not beyond end; returns false on damage. */
static inline bool qac_get_long(const uint8_t **p, const uint8_t *end, uint32_t *x)
{
    uint32_t result = 0;
    for (int shift = 0; shift < 7 * QAC_MOST_VARINT; shift += 7) {
        if (*p >= end)
            return false;
        const uint8_t byte = *(*p)++;
        result |= (uint32_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *x = result;
            return true;
        }
    }
    return false;
}

/* The same; nearly all are of one byte, or of two. */
static inline bool qac_get(const uint8_t **p, const uint8_t *end, uint32_t *x)
{
    const uint8_t *const s = *p;
    if (s < end && s[0] < 0x80) {
        *x = s[0];
        *p = s + 1;
        return true;
    }
    if (end - s >= 2 && s[1] < 0x80) {
        *x = (uint32_t)s[1] << 7 | (s[0] & 0x7F);
        *p = s + 2;
        return true;
    }
    return qac_get_long(p, end, x);
}

/* A byte that continues a UTF-8 sequence does not start a code point. */
static inline bool qac_starts_code_point(char c) { return ((unsigned char)c & 0xC0) != 0x80; }

/* Bytes that belong to someone else. */
typedef struct {
    const char *text;
    size_t len;
} slice;

static inline bool is_same(slice a, slice b) { return a.len == b.len && memcmp(a.text, b.text, a.len) == 0; }

static inline bool starts_with(slice a, slice start)
{
    return a.len >= start.len && memcmp(a.text, start.text, start.len) == 0;
}

/* Length of the last of a document's texts; sets *begin to where it stands. */
static inline size_t last_text(const char *doc, size_t doc_len, size_t *begin)
{
    *begin = doc_len;
    while (*begin > 0 && doc[*begin - 1] != '\n')
        --*begin;
    return doc_len - *begin;
}

/* e^x. Our own, so that training gives the same bytes with any libm; relative error below 1e-9 on [-700, 700],
 * clamped outside. Reduction to |r| <= ln2/2, then the Taylor polynomial of degree 9. */
static inline double qac_exp(double x)
{
    if (x > 700)
        x = 700;
    if (!(x >= -700)) /* also what is not a number: only in a damaged model */
        x = -700;
    const double n = (double)(int)(x * 1.4426950408889634 + (x < 0 ? -0.5 : 0.5));
    const double r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
    double p = 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1;
    p = p * r + 1;
    const uint64_t bits = (uint64_t)((int64_t)n + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, 8);
    return p * scale;
}

/* What a hinge ranker's w.x says of a child, in (0, 1]: 1 from the margin on (Yadav et al., KDD 2021: "l3-hinge"). */
static inline double qac_l3_hinge(double z)
{
    const double short_of = z < 1 ? 1 - z : 0;
    return qac_exp(-short_of * short_of * short_of);
}

/* An occurrence of a term in a document, or all of them. */
typedef struct {
    uint64_t hash;
    float count;
    uint32_t kind, begin, end;
} term;

/* As qac_vectorize, of valid settings and a document of at most UINT32_MAX bytes, in the caller's work space of
 * QAC_MAX_TERMS terms; returns the number of features (features.c). */
uint32_t qac_vectorize_in(const qac_vectorizer *v, const qac_vocabulary *vocabulary, const char *doc, size_t len,
                          term *terms, qac_feature *out);

/* Are a vectoriser's settings in their ranges? (features.c) */
bool qac_vectorizer_is_valid(const qac_vectorizer *v);

/* Id of a hash, or QAC_NO_ID (vocabulary.c). */
uint32_t qac_keys_find(const qac_keys *k, uint64_t hash);

/* Are a table's sizes such that look-ups stay within it? */
static inline bool qac_keys_are_valid(const qac_keys *k)
{
    return k->n == 0 || (k->bits >= 1 && k->bits <= QAC_MAX_BITS);
}

/* What labels weigh: their counts or, where `length` is there, their counts times a factor for their lengths. */
typedef struct {
    const float *count;
    const uint8_t *length;
    const double *factor;
} label_weights;

static inline float label_weight(const label_weights *w, uint32_t label)
{
    return w->length ? (float)(w->count[label] * w->factor[w->length[label]]) : w->count[label];
}

/* Where the labels that start with each two bytes begin. (A label of one byte has 0 for the other.) */
typedef struct {
    uint32_t n;
    uint32_t *bytes; /* [n] first byte * 256 + second, ascending */
    uint32_t *begin; /* [n + 1] ascending; the last is the number of labels */
} label_pairs;

/* Label strings, front-coded (labels.c). */
typedef struct {
    const uint8_t *text;
    uint64_t size;
    const qac_label_block *block;
    uint32_t n;
    label_pairs pairs; /* n = 0: not known */
} qac_label_strings;

enum { QAC_LABEL_BLOCK = 16, QAC_MAX_LABEL = 4096 };

/* Decodes label i into out (QAC_MAX_LABEL bytes); returns its length, or -1 when the strings are damaged. */
int qac_label_decode(const qac_label_strings *s, uint32_t i, char *out);

/* A label and how it compares with a key: its bytes are the key's first `from_key` and then `rest`. */
typedef struct {
    uint32_t at;
    size_t shared; /* bytes at the start that it has in common with the key */
    size_t from_key;
    const uint8_t *rest;
    size_t rest_len;
} label_place;

/* The first label of [lo, hi) that is >= key (upper == false), or > every label that starts with key (upper == true); no
 * label before lo may be. Where there is none, its `at` is hi and nothing is shared. */
label_place qac_label_seek(const qac_label_strings *s, const char *key, size_t len, bool upper, uint32_t lo, uint32_t hi);

/* Reads labels one after the other, the first of a block first. */
typedef struct {
    const qac_label_strings *strings;
    uint32_t next;
    const uint8_t *p; /* behind the label before */
} label_reader;

static inline label_reader qac_label_reader(const qac_label_strings *s, uint32_t label)
{
    return (label_reader){s, label - label % QAC_LABEL_BLOCK, NULL};
}

/* The next label, compared with the one before it as if that were the key: of a block's first label nothing is taken from
 * there. Returns false behind the last one, and on damage. */
bool qac_label_next(label_reader *r, label_place *label);

/* Finds s->pairs: a search for each. None are known of damaged strings. Returns QAC_OK or QAC_ENOMEM. */
int qac_label_find_pairs(qac_label_strings *s);
void qac_label_free_pairs(qac_label_strings *s);

/* Labels with the same first two bytes as `key`, or the same first one if it has no more; all if pairs are not known. */
void qac_label_pair_range(const qac_label_strings *s, const char *key, size_t len, uint32_t *lo, uint32_t *hi);

/* The labels that start with `key`, or where they would stand. */
void qac_label_range(const qac_label_strings *s, const char *key, size_t len, uint32_t *lo, uint32_t *hi);

/* The label of [lo, hi) that is `key`, or QAC_NO_ID; no label before lo may stand behind it. */
uint32_t qac_label_find(const qac_label_strings *s, const char *key, size_t len, uint32_t lo, uint32_t hi);

#endif

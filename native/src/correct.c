/* correct.c - prefixes one typing error away from what was typed: a letter too many, one missing, one wrong, or two
 * neighbours swapped (Damerau 1964: four of five misspelt words have exactly one of these).
 *
 * A reading is worth something only where labels start with it. So letters are not tried: up to each place the typed text is
 * taken as right, which leaves a range of labels; those are asked which letters they have next, and for each of these the
 * rest of the typed text is sought behind it. What is sought ascends with the letters, so that a search that ends behind
 * a letter's labels has found the next letter too. Once few labels are left they are read instead, all in a row: where
 * a label leaves the typed text is the only place where it may have its error.
 */
#include "correct.h"

/* P(typed | meant) of one certain error, against 1 for none. What is missing or swapped is determined by its place; what is
 * wrong or too many is one of a hundred. Found on validation parts. */
static const double MISSING = 6e-5, SWAPPED = 6e-5, WRONG = 6e-7, EXTRA = 6e-7;
static const double AT_START = 0.5; /* the first letter is less often wrong */

enum {
    BEYOND = 0xFF,       /* no byte of UTF-8: sorts behind all that may follow */
    MOST_WEIGHED = 4096, /* labels of a range whose weights are summed */
    MOST_LETTERS = 256,  /* tried at one place */
    FEW_LABELS = 256,    /* that are read: no more than letters are tried */
    NOT_ASCII = 0x80     /* the least byte of a longer letter */
};

typedef enum { EXTRA_LETTER, SWAPPED_LETTERS, WRONG_LETTER, MISSING_LETTER, ERRORS } error;

/* An error in, or before, the letter typed[at .. next). */
typedef struct {
    error kind;
    uint32_t at, next;
} typo;

typedef struct {
    const qac_label_strings *labels;
    const label_weights *weight;
    const char *typed;
    uint32_t len;
    uint32_t exact_lo, exact_hi;   /* labels that start with `typed` */
    char key[CORRECT_LONGEST + 8]; /* starts with what of `typed` is taken as right */
    reading *out;
    uint32_t n;
} corrector;

static uint32_t next_point(const char *s, uint32_t at, uint32_t len)
{
    do
        at++;
    while (at < len && !qac_starts_code_point(s[at]));
    return at;
}

/* Of readings of equal mass the first counts: by the place of the error, then by the typed letters alone, then by labels. */
static uint64_t order_of(typo x, uint32_t lo)
{
    const bool by_labels = x.kind >= WRONG_LETTER;
    return ((uint64_t)x.at << 2 | (by_labels ? WRONG_LETTER : x.kind)) << 33 | (uint64_t)lo << 1 | (x.kind == MISSING_LETTER);
}

static bool comes_before(const reading *a, const reading *b)
{
    return a->mass != b->mass ? a->mass > b->mass : a->order < b->order;
}

static double likelihood_of(const corrector *c, typo x)
{
    const double factor = x.at == 0 ? AT_START : 1;
    switch (x.kind) {
    case EXTRA_LETTER: /* without the last letter any other may stand in its place */
        return factor * (x.next == c->len ? EXTRA + WRONG : EXTRA);
    case SWAPPED_LETTERS:
        return factor * SWAPPED;
    case WRONG_LETTER:
        return factor * WRONG;
    default:
        return factor * MISSING;
    }
}

/* Notes that labels [lo, hi) start with a reading of `len` bytes. */
static void add(corrector *c, uint32_t lo, uint32_t hi, uint32_t len, typo error)
{
    reading x = {lo, hi, len, likelihood_of(c, error), 0, order_of(error, lo)};
    /* Of a large range every so many labels stand for all: what it weighs decides which readings are looked at. */
    const uint32_t step = 1 + (hi - lo) / MOST_WEIGHED;
    for (uint32_t i = lo; i < hi; i += step)
        if (i < c->exact_lo || i >= c->exact_hi)
            x.mass += label_weight(c->weight, i);
    x.mass *= x.likelihood * step;
    if (!(x.mass > 0) || (c->n == CORRECT_MOST && !comes_before(&x, &c->out[c->n - 1])))
        return;
    uint32_t to = c->n < CORRECT_MOST ? c->n++ : c->n - 1;
    for (; to > 0 && comes_before(&x, &c->out[to - 1]); to--)
        c->out[to] = c->out[to - 1];
    c->out[to] = x;
}

/* ---- many labels: seeking ---- */

/* Seeks the first `head` bytes of the key and then typed[from ..] among labels of [lo, hi), all before lo being smaller;
 * notes those that start with it. Returns where the search ended. */
static label_place seek_rest(corrector *c, uint32_t head, uint32_t from, uint32_t lo, uint32_t hi, typo error)
{
    const uint32_t len = head + c->len - from;
    memcpy(c->key + head, c->typed + from, c->len - from);
    const label_place first = qac_label_seek(c->labels, c->key, len, false, lo, hi);
    if (first.at < hi && first.shared == len)
        add(c, first.at, qac_label_seek(c->labels, c->key, len, true, first.at, hi).at, len, error);
    return first;
}

/* The code point of a label behind the `at` bytes that it shares with the key goes into the key. Returns its end, or 0
 * where the label ends before or is no UTF-8. */
static uint32_t take_letter(corrector *c, const label_place *label, uint32_t at)
{
    const size_t len = label->from_key + label->rest_len;
    uint32_t end = at;
    do {
        if (end == len || end - at == 4)
            return 0;
        if (end >= label->from_key)
            c->key[end] = (char)label->rest[end - label->from_key];
        end++;
    } while (end < len && !qac_starts_code_point(end < label->from_key ? c->key[end]
                                                                       : (char)label->rest[end - label->from_key]));
    return end;
}

/* seek_rest behind a letter of one byte, the first or the second of labels: [begin, end) are the pairs with the key so far. */
static void seek_in_pairs(corrector *c, uint32_t begin, uint32_t end, uint32_t from, typo error)
{
    const label_pairs *pairs = &c->labels->pairs;
    if (error.at == 0) {
        const uint32_t bytes = (uint32_t)(uint8_t)c->key[0] << 8 | (uint8_t)c->typed[from];
        begin = qac_lower_bound(pairs->bytes, begin, end, bytes);
        end = begin < end && pairs->bytes[begin] == bytes ? begin + 1 : begin;
    }
    if (begin < end)
        seek_rest(c, error.at + 1, from, pairs->begin[begin], pairs->begin[end], error);
}

/* try_letters for those of one byte that are first or second in a label. Returns the first label with one of several bytes. */
static uint32_t try_pairs(corrector *c, uint32_t at, uint32_t next, uint32_t lo, uint32_t hi)
{
    const label_pairs *pairs = &c->labels->pairs;
    const uint32_t unit = at == 0 ? 256 : 1; /* between letters */
    const uint32_t before = at == 0 ? 0 : (uint32_t)(uint8_t)c->key[0] << 8;
    const uint32_t end = qac_lower_bound(pairs->bytes, 0, pairs->n, before + NOT_ASCII * unit);
    uint32_t i = qac_lower_bound(pairs->bytes, 0, pairs->n, before + unit); /* 0: no letter */
    for (uint32_t behind; i < end; i = behind) {
        const uint32_t letter = pairs->bytes[i] / unit;
        behind = at == 0 ? qac_lower_bound(pairs->bytes, i, end, (letter + 1) * unit) : i + 1;
        c->key[at] = (char)letter;
        if (next == at + 1 && c->key[at] == c->typed[at])
            continue;
        seek_in_pairs(c, i, behind, at, (typo){MISSING_LETTER, at, next});
        seek_in_pairs(c, i, behind, next, (typo){WRONG_LETTER, at, next});
    }
    const uint32_t others = pairs->begin[end];
    return others < lo ? lo : others < hi ? others : hi;
}

/* A letter missing before typed[at], or typed[at .. next) wrong: both by each other letter that labels of [lo, hi) have
 * there and that begins with the byte `least` or a larger one. (Before an equal letter is behind it too, where the next
 * place is.) */
static void try_letters(corrector *c, uint32_t at, uint32_t next, int least, uint32_t lo, uint32_t hi)
{
    c->key[at] = (char)least;
    label_place place = qac_label_seek(c->labels, c->key, at + 1, false, lo, hi);
    const char *const typed = c->typed;
    /* Which of the two stands first among the labels? */
    const int order = memcmp(typed + at, typed + next, c->len - next);
    for (uint32_t tried = 0; tried < MOST_LETTERS && place.at < hi && place.shared >= at; tried++) {
        const uint32_t end = take_letter(c, &place, at);
        if (end == 0)
            return;
        place.shared = end; /* the key has its letter now */
        const bool same = end == next && memcmp(c->key + at, typed + at, end - at) == 0;
        const uint32_t begin = place.at;
        for (int i = 0; i < 2 && !same && place.at < hi && place.shared >= end; i++) {
            if ((i == 0) == (order < 0))
                place = seek_rest(c, end, at, place.at, hi, (typo){MISSING_LETTER, at, next});
            else if (next < c->len)
                place = seek_rest(c, end, next, place.at, hi, (typo){WRONG_LETTER, at, next});
        }
        if (place.at < hi && place.shared >= end) {
            c->key[end] = (char)BEYOND;
            place = qac_label_seek(c->labels, c->key, end + 1, false, place.at, hi);
        }
        if (place.at <= begin) /* only in a damaged file */
            return;
    }
}

/* May the letter typed[at .. next) be the one too many, or the first of two swapped? Of equal ones in a row the last. */
static bool is_last_of_equals(const corrector *c, uint32_t at, uint32_t next, uint32_t behind)
{
    return next - at != behind - next || memcmp(c->typed + at, c->typed + next, next - at) != 0;
}

/* All readings with the error in typed[at .. next), the labels of [lo, hi) starting with what is before it. */
static void seek_readings(corrector *c, uint32_t at, uint32_t next, uint32_t behind, uint32_t lo, uint32_t hi)
{
    if (is_last_of_equals(c, at, next, behind)) {
        seek_rest(c, at, next, lo, hi, (typo){EXTRA_LETTER, at, next});
        if (next < c->len) {
            memcpy(c->key + at, c->typed + next, behind - next);
            memcpy(c->key + at + (behind - next), c->typed + at, next - at);
            seek_rest(c, behind, behind, lo, hi, (typo){SWAPPED_LETTERS, at, next});
        }
    }
    const bool in_pairs = at < 2 && c->labels->pairs.n;
    if (in_pairs)
        lo = try_pairs(c, at, next, lo, hi);
    try_letters(c, at, next, in_pairs ? NOT_ASCII : 0, lo, hi); /* a label that ends here has no letter */
}

/* ---- few labels: reading ---- */

/* The labels from `lo` on that start with a reading, as far as they are read. len: of the reading; 0: there is none. */
typedef struct {
    uint32_t lo, len;
    typo error;
} run;

/* A label that is read, and the runs that it is part of. */
typedef struct {
    char text[2 * CORRECT_LONGEST + 8]; /* its beginning */
    uint32_t len;
    uint32_t looked_at; /* bytes that decided which runs it is part of */
    run runs[ERRORS];
} reader;

/* Begins a run where the label's bytes from `head` on start with typed[from ..], unless it is part of it already. */
static void match_rest(const corrector *c, reader *r, uint32_t label, uint32_t head, uint32_t from, typo error)
{
    const uint32_t rest = c->len - from, has = r->len > head ? r->len - head : 0;
    const uint32_t shared = (uint32_t)common_bytes(r->text + head, has, c->typed + from, rest);
    if (head + shared + 1 > r->looked_at)
        r->looked_at = head + shared + 1;
    if (shared == rest && r->runs[error.kind].len == 0)
        r->runs[error.kind] = (run){label, head + rest, error};
}

/* Begins the runs of readings that the label starts with. */
static void match_label(const corrector *c, reader *r, uint32_t label)
{
    uint32_t at = (uint32_t)common_bytes(r->text, r->len, c->typed, c->len), last = c->len - 1;
    while (at > 0 && at < c->len && !qac_starts_code_point(c->typed[at]))
        at--;
    while (last > 0 && !qac_starts_code_point(c->typed[last]))
        last--;
    r->looked_at = at + 1;
    if (at >= last)
        match_rest(c, r, label, last, c->len, (typo){EXTRA_LETTER, last, c->len});
    if (at >= c->len || at >= r->len)
        return;
    const uint32_t next = next_point(c->typed, at, c->len), behind = next < c->len ? next_point(c->typed, next, c->len) : next;
    const uint32_t end = next_point(r->text, at, r->len); /* of the label's letter */
    if (next < c->len && is_last_of_equals(c, at, next, behind)) {
        match_rest(c, r, label, at, next, (typo){EXTRA_LETTER, at, next});
        if (end - at == behind - next && memcmp(r->text + at, c->typed + next, end - at) == 0 && r->len - end >= next - at &&
            memcmp(r->text + end, c->typed + at, next - at) == 0)
            match_rest(c, r, label, behind, behind, (typo){SWAPPED_LETTERS, at, next});
        if (behind + 1 > r->looked_at)
            r->looked_at = behind + 1;
    }
    if (next < c->len)
        match_rest(c, r, label, end, next, (typo){WRONG_LETTER, at, next});
    match_rest(c, r, label, end, at, (typo){MISSING_LETTER, at, next});
}

/* Ends the runs of which a label that shares its first bytes with the one before is no part. */
static void end_runs(corrector *c, reader *r, uint32_t label, uint32_t shared)
{
    for (error kind = 0; kind < ERRORS; kind++) {
        run *its = &r->runs[kind];
        if (its->len > shared) {
            add(c, its->lo, label, its->len, its->error);
            its->len = 0;
        }
    }
}

/* All readings that labels of [lo, hi) start with. */
static void read_labels(corrector *c, uint32_t lo, uint32_t hi)
{
    reader r = {.looked_at = UINT32_MAX};
    label_reader labels = qac_label_reader(c->labels, lo);
    label_place x;
    while (labels.next < hi && qac_label_next(&labels, &x)) {
        uint32_t shared = (uint32_t)x.from_key;
        if (x.at % QAC_LABEL_BLOCK == 0)
            shared = (uint32_t)common_bytes(r.text, r.len, (const char *)x.rest, x.rest_len);
        if (shared >= r.looked_at) /* all that decides is as it was */
            continue;
        const size_t room = sizeof r.text - (x.from_key < sizeof r.text ? x.from_key : sizeof r.text);
        memcpy(r.text + (sizeof r.text - room), x.rest, x.rest_len < room ? x.rest_len : room);
        r.len = (uint32_t)(sizeof r.text - room + (x.rest_len < room ? x.rest_len : room));
        if (x.at < lo)
            continue;
        end_runs(c, &r, x.at, shared);
        match_label(c, &r, x.at);
    }
    end_runs(c, &r, labels.next, 0);
}

uint32_t correct_prefix(const qac_label_strings *labels, const label_weights *weight, const char *typed, size_t len,
                        uint32_t lo, uint32_t hi, reading out[CORRECT_MOST])
{
    uint32_t points = 0;
    for (size_t i = 0; i < len; i++)
        points += qac_starts_code_point(typed[i]);
    if (points < CORRECT_SHORTEST || len > CORRECT_LONGEST)
        return 0;
    corrector c = {.labels = labels, .weight = weight, .typed = typed, .len = (uint32_t)len, .exact_lo = lo, .exact_hi = hi,
                   .out = out};
    lo = 0;
    hi = labels->n; /* from here on, labels that start with what is taken as right */
    uint32_t at = 0;
    for (uint32_t next; at < c.len && hi - lo > FEW_LABELS; at = next) {
        next = next_point(typed, at, c.len);
        seek_readings(&c, at, next, next < c.len ? next_point(typed, next, c.len) : next, lo, hi);
        memcpy(c.key + at, typed + at, next - at);
        qac_label_range(labels, c.key, next, &lo, &hi);
    }
    if (at < c.len && lo < hi)
        read_labels(&c, lo, hi);
    return c.n;
}

/* correct.c - prefixes one typing error away from what was typed: a letter too many, one missing, one wrong, or two
 * neighbours swapped (Damerau 1964: four of five misspelt words have exactly one of these).
 *
 * A reading is worth something only where labels start with it. So letters are not tried: up to each place the typed text is
 * taken as right, which leaves a range of labels; those are asked which letters they have next, and for each of these the
 * rest of the typed text is sought behind it. What is sought ascends with the letters, so that a search that ends behind
 * a letter's labels has found the next letter too.
 */
#include "correct.h"

/* P(typed | meant) of one certain error, against 1 for none. What is missing or swapped is determined by its place; what is
 * wrong or too many is one of a hundred. Found on validation parts. */
static const double MISSING = 6e-5, SWAPPED = 6e-5, WRONG = 6e-7, EXTRA = 6e-7;
static const double AT_START = 0.5; /* the first letter is less often wrong */

enum {
    BEYOND = 0xFF,       /* no byte of UTF-8: sorts behind all that may follow */
    MOST_WEIGHED = 4096, /* labels of a range whose weights are summed */
    MOST_LETTERS = 256   /* tried at one place */
};

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

static void add(corrector *c, uint32_t lo, uint32_t hi, uint32_t len, double likelihood)
{
    /* Of a large range every so many labels stand for all: what it weighs decides which readings are looked at. */
    const uint32_t step = 1 + (hi - lo) / MOST_WEIGHED;
    double mass = 0;
    for (uint32_t i = lo; i < hi; i += step)
        if (i < c->exact_lo || i >= c->exact_hi)
            mass += label_weight(c->weight, i);
    mass *= likelihood * step;
    if (!(mass > (c->n == CORRECT_MOST ? c->out[c->n - 1].mass : 0)))
        return;
    uint32_t at = c->n < CORRECT_MOST ? c->n++ : c->n - 1;
    for (; at > 0 && c->out[at - 1].mass < mass; at--)
        c->out[at] = c->out[at - 1];
    c->out[at] = (reading){lo, hi, len, likelihood, mass};
}

/* Seeks the first `head` bytes of the key and then typed[from ..] among labels of [lo, hi), all before lo being smaller;
 * notes those that start with it. Returns where the search ended. */
static label_place seek_rest(corrector *c, uint32_t head, uint32_t from, uint32_t lo, uint32_t hi, double likelihood)
{
    const uint32_t len = head + c->len - from;
    memcpy(c->key + head, c->typed + from, c->len - from);
    const label_place first = qac_label_seek(c->labels, c->key, len, false, lo, hi);
    if (first.at < hi && first.shared == len)
        add(c, first.at, qac_label_seek(c->labels, c->key, len, true, first.at, hi).at, len, likelihood);
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

/* A letter missing before typed[at], or typed[at .. next) wrong: both by each other letter that labels of [lo, hi) have
 * there. (Before an equal letter is behind it too, where the next place is.) */
static void try_letters(corrector *c, uint32_t at, uint32_t next, uint32_t lo, uint32_t hi, double factor)
{
    c->key[at] = 0; /* the label that ends here has no letter */
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
                place = seek_rest(c, end, at, place.at, hi, factor * MISSING);
            else if (next < c->len)
                place = seek_rest(c, end, next, place.at, hi, factor * WRONG);
        }
        if (place.at < hi && place.shared >= end) {
            c->key[end] = (char)BEYOND;
            place = qac_label_seek(c->labels, c->key, end + 1, false, place.at, hi);
        }
        if (place.at <= begin) /* only in a damaged file */
            return;
    }
}

uint32_t correct_prefix(const qac_label_strings *labels, const label_weights *weight, const char *typed, size_t len, uint32_t lo,
                        uint32_t hi, reading out[CORRECT_MOST])
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
    for (uint32_t at = 0, next; at < c.len && lo < hi; at = next) {
        next = next_point(typed, at, c.len);
        const uint32_t behind = next < c.len ? next_point(typed, next, c.len) : next;
        const double factor = at == 0 ? AT_START : 1;
        const bool again = next - at == behind - next && memcmp(typed + at, typed + next, next - at) == 0;
        if (!again) { /* of equal letters in a row the last may be the one too many */
            /* Without the last letter any other may stand in its place. */
            seek_rest(&c, at, next, lo, hi, factor * (next == c.len ? EXTRA + WRONG : EXTRA));
            if (next < c.len) {
                memcpy(c.key + at, typed + next, behind - next);
                memcpy(c.key + at + (behind - next), typed + at, next - at);
                seek_rest(&c, behind, behind, lo, hi, factor * SWAPPED);
            }
        }
        try_letters(&c, at, next, lo, hi, factor);
        memcpy(c.key + at, typed + at, next - at);
        const label_place right = qac_label_seek(labels, c.key, next, false, lo, hi);
        hi = qac_label_seek(labels, c.key, next, true, right.at, hi).at;
        lo = right.at;
    }
    return c.n;
}

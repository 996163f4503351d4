/* mixture.c - how likely words come next.
 *
 * The next word of a query, after the words h and in the session S, has the probability
 *
 *     P(end)   = KN(end | h)
 *     P(w)     = (1 - KN(end | h)) (a copy(w | S, h) + b associated(w | S))  +  (1 - a - b) KN(w | h)
 *
 * KN: the n-gram model. copy: words of S that h does not have yet, those of older queries by how much rarer they come
 * back, the one behind the last copied word three times the others; a depends on how much of h is from S. associated:
 * words that follow the words of the last query in next queries. A word outside the vocabulary has its unigram share by
 * its characters.
 *
 * The word being typed has the probability, c being a share, p what is typed of it and [p] all words that start so,
 *
 *     P(w, end)    = (1 - c) P(w) KN(end | h w)        +  c P([p]) C(rest of w, end | characters so far)
 *     P(w, more)   = (1 - c) P(w) (1 - KN(end | h w))  +  c P([p]) C(rest of w, space | characters so far)
 *
 * where C is the n-gram model of characters: it knows how words are inflected and what is written as one word.
 */
#include "mixture.h"

#include <math.h>

enum { FOLLOWER = 3 };

static const double UNLIKELIEST = 1e-100; /* of what is typed: products must not come to 0 */

/* ---- words ---- */

uint32_t code_points(const char *s, size_t len)
{
    uint32_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += qac_starts_code_point(s[i]);
    return n;
}

static slice vocabulary_text(const qac_composer *c, uint32_t word)
{
    const uint32_t begin = word ? c->word_end[word - 1] : 0, end = c->word_end[word];
    if (begin >= end || end > c->word_text_size) /* only in a damaged file */
        return (slice){"", 0};
    return (slice){(const char *)c->word_text + begin, end - begin};
}

static double spell_word(const request *r, slice text)
{
    if (r->c->character.order == 0)
        return 0;
    uint32_t context = r->here;
    const double p = spell(r->letters, &context, text.text, text.len);
    const word_boundary behind = spell_boundary(r->letters, context);
    return p * (behind.end + behind.space);
}

/* Number of a word of this request that is not in the vocabulary. */
static uint32_t add_local(request *r, slice text)
{
    for (uint32_t i = 0; i < r->n_local; i++)
        if (is_same(r->local[i].text, text))
            return first_local(r->c) + i;
    if (r->n_local == COMPOSE_LOCAL)
        return QAC_NO_ID;
    r->local[r->n_local] = (local_word){text, spell_word(r, text)};
    return first_local(r->c) + r->n_local++;
}

uint32_t word_number(request *r, const char *text, size_t len)
{
    const qac_composer *c = r->c;
    const slice its = {text, len};
    const uint32_t known = qac_keys_find(&c->word_keys, qac_hash(text, len, QAC_TERM_WORD));
    if (known < c->word.words && is_same(vocabulary_text(c, known), its))
        return known;
    if (len > QAC_MAX_COMPOSED)
        return QAC_NO_ID;
    return add_local(r, its);
}

uint32_t word_length(const request *r, uint32_t word)
{
    if (word < r->c->word.words)
        return r->c->word_length[word];
    const local_word *local = &r->local[word - first_local(r->c)];
    return code_points(local->text.text, local->text.len);
}

slice word_text(const request *r, uint32_t word)
{
    if (word < r->c->word.words)
        return vocabulary_text(r->c, word);
    const uint32_t i = word - first_local(r->c);
    return word >= first_local(r->c) && i < r->n_local ? r->local[i].text : (slice){"", 0};
}

/* ---- probabilities ---- */

double copy_weight(const request *r, const hypothesis *h, uint32_t place)
{
    return r->session[place].weight * (place == h->next_copied ? FOLLOWER : 1);
}

void settle(const request *r, hypothesis *h)
{
    if (h->settled)
        return;
    h->context = ngram_follow(&r->c->word, h->context, h->last, h->entry);
    h->settled = true;
}

double end_probability(const request *r, const hypothesis *h)
{
    if (h->end >= 0)
        return h->end;
    const ngram_contexts contexts = ngram_find(&r->c->word, h->context);
    return ngram_end(&r->c->word, &contexts);
}

context context_of(const request *r, const hypothesis *h)
{
    const qac_composer *c = r->c;
    context x = {.words = ngram_find(&c->word, h->context)};
    const double end = ngram_end(&c->word, &x.words);
    x.end = h->end < 0 ? end : h->end;
    x.scale = h->end < 0 || end >= 1 ? 1 : (1 - h->end) / (1 - end);
    for (uint32_t i = 0; i < r->n_session; i++)
        if (!(h->used >> i & 1))
            x.copies += copy_weight(r, h, i);
    if (x.copies > 0) {
        x.copy = h->n_words == 0             ? c->copy_start
                 : h->n_copied == 0          ? c->copy_none
                 : h->n_copied < h->n_words  ? c->copy_some
                                             : c->copy_all;
        if (x.copies < 1) /* only words of older queries are left */
            x.copy *= x.copies;
    }
    if (r->n_associated)
        x.associate = c->associate;
    return x;
}

uint32_t place_in_session(const request *r, uint32_t word)
{
    for (uint32_t i = 0; i < r->n_session; i++)
        if (r->session[i].word == word)
            return i;
    return COMPOSE_SESSION;
}

double association_weight(const request *r, uint32_t word)
{
    const qac_composer *c = r->c;
    double sum = 0;
    for (uint32_t i = 0; i < r->n_associated; i++) {
        const uint32_t end = r->associated[i].end;
        const uint32_t at = qac_lower_bound(c->association, r->associated[i].begin, end, word);
        if (at < end && c->association[at] == word)
            sum += association_of(c, at);
    }
    return sum > 0 ? sum / r->n_associated : 0;
}

ngram_found ngrams_probability(const request *r, const context *x, uint32_t word)
{
    const qac_composer *c = r->c;
    if (word < c->word.words)
        return ngram_look_up(&c->word, &x->words, word);
    const double p = ngram_backoff(&c->word, &x->words) * c->unknown * r->local[word - first_local(c)].probability;
    return (ngram_found){p, QAC_NO_ID};
}

double mixed_probability(const request *r, const hypothesis *h, const context *x, double by_ngrams, uint32_t place,
                         double association)
{
    double other = x->associate * association;
    if (place < COMPOSE_SESSION && x->copy > 0 && !(h->used >> place & 1))
        other += x->copy * copy_weight(r, h, place) / x->copies;
    return (1 - x->copy - x->associate) * x->scale * by_ngrams + (1 - x->end) * other;
}

ngram_found word_probability(const request *r, const hypothesis *h, const context *x, uint32_t word)
{
    const bool known = word < r->c->word.words;
    const ngram_found by_ngrams = ngrams_probability(r, x, word);
    const double p = mixed_probability(r, h, x, by_ngrams.probability, place_in_session(r, word),
                                       known && x->associate > 0 ? association_weight(r, word) : 0);
    return (ngram_found){p, by_ngrams.entry};
}

double typed_probability(const request *r, const context *x, uint32_t word, ngram_found by_words,
                         const spelling *spelled, double *end)
{
    const double share = r->c->spelling;
    const size_t typed = r->prefix_len - r->head;
    if (share == 0 || typed == 0 || r->c->character.order == 0)
        return by_words.probability;
    double by_characters;
    word_boundary behind;
    if (spelled) {
        by_characters = spelled->probability;
        behind = spelled->behind;
    } else {
        const slice text = word_text(r, word);
        if (text.len < typed)
            return by_words.probability;
        uint32_t context = r->behind;
        by_characters = spell(r->letters, &context, text.text + typed, text.len - typed);
        behind = spell_boundary(r->letters, context);
    }
    const qac_ngrams *g = &r->c->word;
    const double characters = share * r->in_range * by_characters;
    const uint32_t context_before = x->words.n ? x->words.of[0] : QAC_NO_ID;
    const ngram_contexts next = ngram_find(g, ngram_follow(g, context_before, word, by_words.entry));
    const double words = (1 - share) * by_words.probability, all = words + characters * (behind.end + behind.space);
    if (all > 0)
        *end = (words * ngram_end(g, &next) + characters * behind.end) / all;
    return all;
}

/* length^d: what a probability is divided by, but for the scale. */
static double length_factor(const qac_composer *c, uint32_t length)
{
    const double d = c->length_discount;
    return d == 1 ? (double)length : pow((double)length, d);
}

double discounted(const qac_composer *c, double probability, uint32_t length)
{
    if (c->length_discount == 0 || length == 0)
        return probability;
    return probability * c->length_scale / length_factor(c, length);
}

double undiscounted(const qac_composer *c, double score, uint32_t length)
{
    if (c->length_discount == 0 || length == 0)
        return score;
    return c->length_scale > 0 ? score * length_factor(c, length) / c->length_scale : 0;
}

void append(const request *r, hypothesis *h, uint32_t word, double p, double end, uint32_t entry, uint32_t length)
{
    h->probability *= p;
    h->end = end;
    h->length += length;
    h->n_words++;
    h->last = word;
    h->entry = entry;
    h->settled = false;
    const uint32_t place = place_in_session(r, word);
    if (place < COMPOSE_SESSION) {
        h->used |= 1u << place;
        h->n_copied++;
        const bool has_next = place + 1 < r->n_session && r->session[place + 1].age == r->session[place].age;
        h->next_copied = has_next ? place + 1 : COMPOSE_SESSION;
    } else {
        h->next_copied = COMPOSE_SESSION;
    }
}

/* ---- reading the request ---- */

/* The words of one query of the session that no newer one has. */
static void read_query(request *r, const char *query, size_t len, uint32_t age, double weight)
{
    uint32_t seen = 0; /* a query of one word a million times is not read to its end */
    for (size_t i = 0; i < len && r->n_session < COMPOSE_SESSION && seen < COMPOSE_LOCAL; seen++) {
        const size_t word = i;
        while (i < len && query[i] != ' ')
            i++;
        const uint32_t number = i > word ? word_number(r, query + word, i - word) : QAC_NO_ID;
        if (number != QAC_NO_ID && place_in_session(r, number) == COMPOSE_SESSION)
            r->session[r->n_session++] = (session_word){number, age, weight};
        i++;
    }
}

static void read_session(request *r, const char *session, size_t session_len)
{
    size_t end = session_len;
    for (uint32_t age = 0; age <= QAC_MAX_AGE; age++) {
        size_t begin;
        last_text(session, end, &begin);
        const double weight = age ? r->c->older[age - 1] : 1;
        if (weight > 0)
            read_query(r, session + begin, end - begin, age, weight);
        if (begin == 0)
            return;
        end = begin - 1;
    }
}

/* Associations are those of the last query. */
static void read_associations(request *r)
{
    const qac_composer *c = r->c;
    for (uint32_t i = 0; i < r->n_session && r->session[i].age == 0; i++) {
        const uint32_t word = r->session[i].word;
        if (word >= c->word.words)
            continue;
        const uint32_t begin = word ? c->association_end[word - 1] : 0, end = c->association_end[word];
        if (begin < end && end <= c->n_associations)
            r->associated[r->n_associated++] = (association_list){begin, end};
    }
}

/* Where the unfinished word begins, and how characters stand there. */
static void find_head(request *r)
{
    r->head = r->prefix_len;
    while (r->head > 0 && r->prefix[r->head - 1] != ' ')
        r->head--;
    r->here = r->behind = ngram_start(&r->c->character);
    r->spelled = 0;
    if (r->c->character.order == 0)
        return;
    spell(r->letters, &r->here, r->prefix, r->head);
    r->behind = r->here;
    r->spelled = spell(r->letters, &r->behind, r->prefix + r->head, r->prefix_len - r->head);
}

/* The first word from lo on that is not before `key` or, behind, that is after all that start with it. */
static uint32_t word_bound(const qac_composer *c, slice key, bool behind, uint32_t lo)
{
    uint32_t hi = c->word.words;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        const slice word = vocabulary_text(c, mid);
        const int order = memcmp(word.text, key.text, word.len < key.len ? word.len : key.len);
        if (order < 0 || (order == 0 && (word.len < key.len || behind)))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The finished words of the prefix, and the range of the unfinished one. */
static void read_prefix(request *r)
{
    const char *p = r->prefix;
    hypothesis *h = &r->typed;
    r->all_known = true;
    *h = (hypothesis){.probability = 1, .next_copied = 0, .end = -1, .settled = true};
    h->context = ngram_start(&r->c->word);
    for (size_t i = 0; i < r->head;) {
        const size_t word = i;
        while (i < r->head && p[i] != ' ')
            i++;
        if (i > word) {
            const uint32_t number = word_number(r, p + word, i - word);
            const context x = context_of(r, h);
            r->all_known = r->all_known && number < r->c->word.words;
            ngram_found by_words = {0, QAC_NO_ID};
            if (number != QAC_NO_ID)
                by_words = word_probability(r, h, &x, number);
            append(r, h, number, by_words.probability, -1, by_words.entry, 0);
            settle(r, h);
        }
        i++;
    }
    h->length = code_points(p, r->head);
    if (!(h->probability > UNLIKELIEST)) /* it has been typed, however unlikely */
        h->probability = UNLIKELIEST;
    const slice rest = {p + r->head, r->prefix_len - r->head};
    r->lo = rest.len ? word_bound(r->c, rest, false, 0) : 0;
    r->hi = rest.len ? word_bound(r->c, rest, true, r->lo) : r->c->word.words;
}

void read_request(request *r, const qac_composer *c, const characters *letters, const char *prefix, size_t prefix_len,
                  const char *session, size_t session_len)
{
    r->c = c;
    r->letters = letters;
    r->prefix = prefix;
    r->prefix_len = prefix_len;
    r->n_local = r->n_session = r->n_associated = 0;
    find_head(r);
    if (session_len) {
        read_session(r, session, session_len);
        read_associations(r);
    }
    read_prefix(r);
}

/* compose.c - queries that nobody made before, word by word, best first.
 *
 * The next word of a query, after the words h and the session's last query S, has the probability
 *
 *     P(end)   = KN(end | h)
 *     P(w)     = (1 - KN(end | h)) (a copy(w | S, h) + b associated(w | S))  +  (1 - a - b) KN(w | h)
 *
 * KN: the n-gram model. copy: words of S that h does not have yet, the one behind the last copied word three times the
 * others; a depends on how much of h is from S. associated: words that follow the words of S in next queries. A word
 * outside the vocabulary has its unigram share by its characters.
 *
 * A hypothesis is a sequence of words; its probability never grows, so the search takes them best first and stops when
 * none can beat the k-th found. It is bounded by the number of hypotheses, and so is an approximation: each hypothesis is
 * continued by the likeliest few words of each source.
 */
#include "compose.h"

#include <math.h>

enum { PER_CONTEXT = 8, ENOUGH = 10, FOLLOWER = 3 };

static const double LEAST_NEW = 0.003;
static const double UNLIKELIEST = 1e-100; /* of what is typed and of a word's spelling: products must not come to 0 */
static const double FEWEST = 1e-3; /* share of the prefix's probability below which nothing is followed up */

/* ---- words ---- */

static qac_label_strings word_strings(const qac_composer *c)
{
    return (qac_label_strings){c->word_text, c->word_text_size, c->word_block, c->word.words};
}

static uint32_t first_local(const qac_composer *c) { return c->word.words + 2; }

static uint32_t code_points(const char *s, size_t len)
{
    uint32_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += qac_starts_code_point(s[i]);
    return n;
}

/* Number of a code point in the alphabet; the alphabet's size + 2 for one outside it. */
static uint32_t character_of(const qac_composer *c, const char *s, size_t len, size_t *used)
{
    size_t n = 1;
    while (n < len && n < 4 && !qac_starts_code_point(s[n]))
        n++;
    const unsigned char b = (unsigned char)s[0];
    uint32_t point = n == 1 ? b : n == 2 ? b & 0x1Fu : n == 3 ? b & 0x0Fu : b & 0x07u;
    for (size_t i = 1; i < n; i++)
        point = point << 6 | ((unsigned char)s[i] & 0x3Fu);
    *used = n;
    const uint32_t at = qac_lower_bound(c->alphabet, 0, c->character.words, point);
    return at < c->character.words && c->alphabet[at] == point ? at : c->character.words + 2;
}

static void remember(uint32_t *history, uint32_t symbol)
{
    memmove(history + 1, history, (QAC_MAX_ORDER - 1) * sizeof *history);
    history[0] = symbol;
}

/* P(next characters are those of s | history), the history moved on. */
static double spell(const qac_composer *c, uint32_t *history, const char *s, size_t len)
{
    const double outside = 1e-5; /* a character that no word of the vocabulary has */
    double p = 1;
    for (size_t i = 0, used; i < len; i += used) {
        const uint32_t symbol = character_of(c, s + i, len - i, &used);
        const ngram_state state = ngram_find(&c->character, history, c->character.order - 1);
        p *= symbol < c->character.words ? ngram_probability(&c->character, &state, symbol) : outside;
        remember(history, symbol);
    }
    return p > UNLIKELIEST ? p : UNLIKELIEST;
}

static void start_history(const qac_ngrams *g, uint32_t *history)
{
    for (uint32_t i = 0; i < QAC_MAX_ORDER; i++)
        history[i] = g->words + 1;
}

static double end_of_word(const qac_composer *c, const uint32_t *history)
{
    if (c->character.order == 0)
        return 0;
    const ngram_state state = ngram_find(&c->character, history, c->character.order - 1);
    return ngram_probability(&c->character, &state, c->character.words);
}

static uint32_t add_local(compose_scratch *s, const char *text, size_t len, double probability)
{
    for (uint32_t i = 0; i < s->n_local; i++)
        if (s->local[i].len == len && memcmp(s->local[i].text, text, len) == 0)
            return first_local(s->c) + i;
    if (s->n_local == COMPOSE_LOCAL)
        return QAC_NO_ID;
    s->local[s->n_local] = (local_word){text, (uint32_t)len, probability};
    return first_local(s->c) + s->n_local++;
}

/* A word's number: of the vocabulary, or a local one. QAC_NO_ID: one too many, or too long to be part of an answer. */
static uint32_t word_number(compose_scratch *s, const char *text, size_t len)
{
    const qac_composer *c = s->c;
    const uint32_t known =
        qac_slot_find(c->word_slot_hash, c->word_slot_id, c->word_slots, qac_hash(text, len, QAC_TERM_WORD));
    if (known < c->word.words)
        return known;
    if (len > QAC_MAX_COMPOSED)
        return QAC_NO_ID;
    uint32_t history[QAC_MAX_ORDER];
    start_history(&s->c->character, history);
    double p = spell(s->c, history, text, len);
    p *= end_of_word(s->c, history);
    return add_local(s, text, len, p);
}

static uint32_t word_length(const compose_scratch *s, uint32_t word)
{
    if (word < s->c->word.words)
        return s->c->word_length[word];
    const local_word *local = &s->local[word - first_local(s->c)];
    return code_points(local->text, local->len);
}

/* Text of a word; returns its length, or -1. */
static int word_text(const compose_scratch *s, uint32_t word, char *out)
{
    if (word < s->c->word.words) {
        const qac_label_strings words = word_strings(s->c);
        return qac_label_decode(&words, word, out);
    }
    const uint32_t i = word - first_local(s->c);
    if (word < first_local(s->c) || i >= s->n_local || s->local[i].len > QAC_MAX_COMPOSED)
        return -1;
    memcpy(out, s->local[i].text, s->local[i].len);
    return (int)s->local[i].len;
}

/* ---- the mixture ---- */

/* What is the same for all next words of a hypothesis. */
typedef struct {
    ngram_state words;
    double end;         /* KN(end | h) */
    double copy, copies;/* share of copying; sum of the weights of what can be copied */
    double associate;
} context;

static context context_of(const compose_scratch *s, const hypothesis *h)
{
    const qac_composer *c = s->c;
    context x = {.words = ngram_find(&c->word, h->history, c->word.order - 1)};
    x.end = ngram_probability(&c->word, &x.words, c->word.words);
    for (uint32_t i = 0; i < s->n_session; i++)
        if (!(h->used >> i & 1))
            x.copies += i == h->next_copied ? FOLLOWER : 1;
    if (x.copies > 0)
        x.copy = h->n_words == 0             ? c->copy_start
                 : h->n_copied == 0          ? c->copy_none
                 : h->n_copied < h->n_words  ? c->copy_some
                                             : c->copy_all;
    if (s->n_associated)
        x.associate = c->associate;
    return x;
}

static uint32_t place_in_session(const compose_scratch *s, uint32_t word)
{
    for (uint32_t i = 0; i < s->n_session; i++)
        if (s->session[i] == word)
            return i;
    return COMPOSE_SESSION;
}

static double associated(const compose_scratch *s, uint32_t word)
{
    uint32_t lo = 0, hi = s->n_associated;
    while (lo < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (s->associated[mid].word < word)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->n_associated && s->associated[lo].word == word ? s->associated[lo].weight : 0;
}

static double word_probability(const compose_scratch *s, const hypothesis *h, const context *x, uint32_t word)
{
    const qac_composer *c = s->c;
    if (word == c->word.words)
        return x->end;
    double kn;
    if (word < c->word.words)
        kn = ngram_probability(&c->word, &x->words, word);
    else
        kn = ngram_backoff(&c->word, &x->words) * c->unknown * s->local[word - first_local(c)].probability;
    double p = (1 - x->copy - x->associate) * kn;
    const uint32_t place = x->copy > 0 ? place_in_session(s, word) : COMPOSE_SESSION;
    if (place < COMPOSE_SESSION && !(h->used >> place & 1))
        p += (1 - x->end) * x->copy * (place == h->next_copied ? FOLLOWER : 1) / x->copies;
    if (x->associate > 0)
        p += (1 - x->end) * x->associate * associated(s, word);
    return p;
}

static double discounted(const compose_scratch *s, double probability, uint32_t length)
{
    const double d = s->c->length_discount;
    if (d == 0 || length == 0)
        return probability;
    return probability * s->c->length_scale / (d == 1 ? (double)length : pow((double)length, d));
}

/* h with one more word, whose probability has been worked out. */
static void append(const compose_scratch *s, hypothesis *h, uint32_t word, double probability, uint32_t length)
{
    h->probability *= probability;
    h->length += length;
    h->n_words++;
    remember(h->history, word);
    const uint32_t place = place_in_session(s, word);
    if (place < COMPOSE_SESSION) {
        h->used |= 1u << place;
        h->n_copied++;
        h->next_copied = place + 1;
    } else {
        h->next_copied = COMPOSE_SESSION;
    }
}

/* ---- reading the request ---- */

static void read_session(compose_scratch *s, const char *session, size_t session_len)
{
    size_t begin;
    last_text(session, session_len, &begin);
    s->n_session = 0;
    uint32_t seen = 0; /* a query of one word a million times is not read to its end */
    for (size_t i = begin; i < session_len && s->n_session < COMPOSE_SESSION && seen < COMPOSE_LOCAL; seen++) {
        const size_t word = i;
        while (i < session_len && session[i] != ' ')
            i++;
        const uint32_t number = i > word ? word_number(s, session + word, i - word) : QAC_NO_ID;
        if (number != QAC_NO_ID && place_in_session(s, number) == COMPOSE_SESSION)
            s->session[s->n_session++] = number;
        i++;
    }
}

static int by_word(const void *a, const void *b)
{
    const weighted_word *x = a, *y = b;
    return (x->word > y->word) - (x->word < y->word);
}

static void read_associations(compose_scratch *s)
{
    const qac_composer *c = s->c;
    weighted_word *list = s->associated;
    uint32_t n = 0, sources = 0;
    for (uint32_t i = 0; i < s->n_session; i++) {
        const uint32_t word = s->session[i];
        if (word >= c->word.words)
            continue;
        const uint32_t begin = word ? c->association_end[word - 1] : 0, end = c->association_end[word];
        if (begin >= end || end > c->n_associations)
            continue;
        sources++;
        for (uint32_t j = begin; j < end && n < COMPOSE_ASSOCIATED; j++)
            list[n++] = (weighted_word){c->association[j], c->association_weight[j]};
    }
    qsort(list, n, sizeof *list, by_word);
    uint32_t out = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (out && list[out - 1].word == list[i].word)
            list[out - 1].weight += list[i].weight;
        else
            list[out++] = list[i];
    }
    double heaviest[PER_CONTEXT] = {0};
    for (uint32_t i = 0; i < out; i++) {
        list[i].weight /= sources;
        double w = list[i].weight;
        for (uint32_t j = 0; j < PER_CONTEXT && w > 0; j++)
            if (w > heaviest[j]) {
                const double t = heaviest[j];
                heaviest[j] = w;
                w = t;
            }
    }
    s->n_associated = out;
    s->associated_floor = heaviest[PER_CONTEXT - 1];
}

/* The finished words of the prefix, and the range of the unfinished one. */
static void read_prefix(compose_scratch *s)
{
    const char *p = s->prefix;
    s->head = s->prefix_len;
    while (s->head > 0 && p[s->head - 1] != ' ')
        s->head--;
    hypothesis *h = &s->typed;
    *h = (hypothesis){.probability = 1, .next_copied = 0};
    start_history(&s->c->word, h->history);
    for (size_t i = 0; i < s->head;) {
        const size_t word = i;
        while (i < s->head && p[i] != ' ')
            i++;
        if (i > word) {
            const uint32_t number = word_number(s, p + word, i - word);
            const context x = context_of(s, h);
            append(s, h, number, number == QAC_NO_ID ? 0 : word_probability(s, h, &x, number), 0);
        }
        i++;
    }
    h->length = code_points(p, s->head);
    if (!(h->probability > UNLIKELIEST)) /* it has been typed, however unlikely */
        h->probability = UNLIKELIEST;
    const qac_label_strings words = word_strings(s->c);
    const size_t rest = s->prefix_len - s->head;
    s->lo = rest ? qac_label_bound(&words, p + s->head, rest, false) : 0;
    s->hi = rest ? qac_label_bound(&words, p + s->head, rest, true) : words.n;
    if (s->hi < s->lo)
        s->hi = s->lo;
}

/* ---- candidates ---- */

static void add_candidate(compose_scratch *s, uint32_t word)
{
    /* The end and the start are no words; they come here only from a damaged file. */
    if (s->n_candidates == COMPOSE_CANDIDATES || word == QAC_NO_ID ||
        (word >= s->c->word.words && word < first_local(s->c)))
        return;
    if (word < s->c->word.words) {
        if (s->stamp[word] == s->round)
            return;
        s->stamp[word] = s->round;
    } else {
        for (uint32_t i = 0; i < s->n_candidates; i++)
            if (s->candidates[i] == word)
                return;
    }
    s->candidates[s->n_candidates++] = word;
}

/* The entries of largest weight among [begin, end), at most PER_CONTEXT. Returns the sum of all their weights. */
static double add_heaviest(compose_scratch *s, const uint32_t *word, const float *weight, uint32_t begin, uint32_t end)
{
    uint32_t best[PER_CONTEXT], n = 0;
    double sum = 0;
    for (uint32_t i = begin; i < end; i++) {
        sum += weight[i];
        if (n == PER_CONTEXT && !(weight[i] > weight[best[n - 1]]))
            continue;
        uint32_t at = n < PER_CONTEXT ? n++ : n - 1;
        for (; at > 0 && weight[best[at - 1]] < weight[i]; at--)
            best[at] = best[at - 1];
        best[at] = i;
    }
    for (uint32_t i = 0; i < n; i++)
        add_candidate(s, word ? word[best[i]] : best[i]);
    return sum;
}

static bool starts_with(const compose_scratch *s, uint32_t local, const char *text, size_t len)
{
    const local_word *w = &s->local[local];
    return w->len >= len && memcmp(w->text, text, len) == 0;
}

/* Words that may follow, of the vocabulary's [lo, hi). partial: what a local word must start with. Returns the
 * probability of all words in the range. */
static double find_candidates(compose_scratch *s, const hypothesis *h, const context *x, uint32_t lo, uint32_t hi,
                              const char *partial, size_t partial_len)
{
    const qac_composer *c = s->c;
    const qac_ngrams *g = &c->word;
    s->n_candidates = 0;
    if (++s->round == 0) { /* the counter has gone round: forget all stamps */
        memset(s->stamp, 0, g->words * sizeof *s->stamp);
        s->round = 1;
    }
    const bool all_of_vocabulary = lo == 0 && hi == g->words && partial_len == 0;
    double extra = 0;
    if (x->copy > 0)
        for (uint32_t i = 0; i < s->n_session; i++) {
            const uint32_t word = s->session[i];
            if (h->used >> i & 1 || (word < g->words ? word < lo || word >= hi
                                                      : !starts_with(s, word - first_local(c), partial, partial_len)))
                continue;
            add_candidate(s, word);
            extra += x->copy * (i == h->next_copied ? FOLLOWER : 1) / x->copies;
        }
    if (x->associate > 0)
        for (uint32_t i = 0; i < s->n_associated; i++)
            if (s->associated[i].word >= lo && s->associated[i].word < hi) {
                if (s->associated[i].weight >= s->associated_floor || lo > 0 || hi < g->words)
                    add_candidate(s, s->associated[i].word);
                extra += x->associate * s->associated[i].weight;
            }
    /* From the longest context down: what it offers is likeliest, and shorter ones are asked only while candidates are
     * few. The sum goes on: P(w | long) = weight + backoff * P(w | short), so each level's weights count times the
     * back-offs above it. */
    double sum = 0, factor = 1;
    for (uint32_t l = x->words.longest; l-- > 0;) {
        uint32_t begin, end;
        ngram_entries(g, x->words.of[l], &begin, &end);
        if (lo > 0)
            begin = qac_lower_bound(g->next, begin, end, lo);
        end = qac_lower_bound(g->next, begin, end, hi); /* hi is at most the end's symbol, which stands last */
        sum += factor * add_heaviest(s, g->next, g->weight, begin, end);
        factor *= g->backoff[x->words.of[l]];
        if (all_of_vocabulary && s->n_candidates >= ENOUGH)
            return 1; /* the sum over all words is nobody's question */
    }
    sum += factor * (c->unigram_sum[hi] - c->unigram_sum[lo]);
    if (hi - lo <= 2048)
        add_heaviest(s, NULL, g->unigram, lo, hi);
    else
        for (uint32_t i = 0, n = 0; i < c->n_frequent && n < PER_CONTEXT; i++)
            if (c->frequent[i] >= lo && c->frequent[i] < hi) {
                add_candidate(s, c->frequent[i]);
                n++;
            }
    return (1 - x->copy - x->associate) * sum + (1 - x->end) * extra;
}

/* Words outside the vocabulary that start with what is typed: itself, and how its characters go on, greedily. */
static void generate_words(compose_scratch *s, const char *partial, size_t len, double enough, double *of_all)
{
    const qac_composer *c = s->c;
    const qac_ngrams *g = &c->character;
    enum { LONGEST = 60 };
    *of_all = 0;
    if (g->order == 0 || len == 0 || len > LONGEST)
        return;
    uint32_t history[QAC_MAX_ORDER];
    start_history(g, history);
    double p = spell(c, history, partial, len);
    *of_all = p;
    if (p < enough)
        return;
    char *out = s->generated;
    memcpy(out, partial, len);
    for (size_t n = len; n <= LONGEST;) {
        const ngram_state state = ngram_find(g, history, g->order - 1);
        const double end = ngram_probability(g, &state, g->words);
        uint32_t best = g->words;
        double best_p = 0;
        for (uint32_t l = state.longest; l-- > 0;) { /* the likeliest character of the contexts' own */
            uint32_t a, b;
            ngram_entries(g, state.of[l], &a, &b);
            for (; a < b && g->next[a] < g->words; a++) {
                const double q = ngram_probability(g, &state, g->next[a]);
                if (q > best_p) {
                    best_p = q;
                    best = g->next[a];
                }
            }
            if (best < g->words)
                break;
        }
        if (n == len || end >= best_p) {
            add_candidate(s, word_number(s, out, n));
            char *next = out + n; /* a new word's text stays where it is */
            if ((size_t)(next - s->generated) + 2 * LONGEST + 8 > sizeof s->generated)
                return;
            memcpy(next, out, n);
            out = next;
            if (end >= best_p && n > len)
                return;
        }
        if (best == g->words || best_p < 0.05)
            return;
        const uint32_t point = c->alphabet[best];
        if (point < 0x80) {
            out[n++] = (char)point;
        } else if (point < 0x800) {
            out[n++] = (char)(0xC0 | point >> 6);
            out[n++] = (char)(0x80 | (point & 0x3F));
        } else if (point < 0x10000) {
            out[n++] = (char)(0xE0 | point >> 12);
            out[n++] = (char)(0x80 | (point >> 6 & 0x3F));
            out[n++] = (char)(0x80 | (point & 0x3F));
        } else {
            out[n++] = (char)(0xF0 | (point >> 18 & 7));
            out[n++] = (char)(0x80 | (point >> 12 & 0x3F));
            out[n++] = (char)(0x80 | (point >> 6 & 0x3F));
            out[n++] = (char)(0x80 | (point & 0x3F));
        }
        remember(history, best);
        p *= best_p;
        if (p < 1e-30)
            return;
    }
}

/* ---- the search ---- */

/* A score must be above this to matter. */
static double to_beat(const compose_scratch *s)
{
    return s->n_best == s->k && s->best[s->k - 1].score > s->floor ? s->best[s->k - 1].score : s->floor;
}

static void offer_composed(compose_scratch *s, composed x)
{
    if (!(x.score > to_beat(s))) /* also what is not a number, in a damaged file */
        return;
    uint32_t at = s->n_best < s->k ? s->n_best++ : s->k - 1;
    for (; at > 0 && s->best[at - 1].score < x.score; at--)
        s->best[at] = s->best[at - 1];
    s->best[at] = x;
}

static void push_open(compose_scratch *s, const hypothesis *h)
{
    if (s->n_states == COMPOSE_STATES || !(h->bound > to_beat(s)))
        return;
    s->states[s->n_states] = *h;
    uint32_t at = s->n_open++;
    for (; at > 0; at = (at - 1) / 2) {
        const uint32_t up = s->open[(at - 1) / 2];
        if (s->states[up].bound >= h->bound)
            break;
        s->open[at] = up;
    }
    s->open[at] = s->n_states++;
}

static uint32_t pop_open(compose_scratch *s)
{
    const uint32_t best = s->open[0], x = s->open[--s->n_open];
    uint32_t at = 0;
    for (uint32_t child; (child = 2 * at + 1) < s->n_open; at = child) {
        if (child + 1 < s->n_open && s->states[s->open[child + 1]].bound > s->states[s->open[child]].bound)
            child++;
        if (s->states[s->open[child]].bound <= s->states[x].bound)
            break;
        s->open[at] = s->open[child];
    }
    s->open[at] = x;
    return best;
}

/* Continues a hypothesis by each of the candidates. first: its word is the one that is being typed. */
static void follow(compose_scratch *s, const hypothesis *h, const context *x, bool first, double least)
{
    for (uint32_t i = 0; i < s->n_candidates; i++) {
        const uint32_t word = s->candidates[i];
        const double p = word_probability(s, h, x, word);
        if (!(h->probability * p > least))
            continue;
        const uint32_t length = word_length(s, word) + (first ? 0 : 1);
        if (discounted(s, h->probability * p, h->length + length) <= to_beat(s))
            continue;
        hypothesis next = *h;
        append(s, &next, word, p, length);
        next.added[next.n_added++] = word;
        next.bound = discounted(s, next.probability, next.length);
        push_open(s, &next);
    }
}

static void expand_open(compose_scratch *s, uint32_t number, double least)
{
    hypothesis *h = &s->states[number];
    const context x = context_of(s, h);
    const double p = h->probability * x.end;
    offer_composed(s, (composed){discounted(s, p, h->length), p, number});
    if (h->n_added == COMPOSE_WORDS)
        return;
    if (h->bound * (1 - x.end) <= to_beat(s))
        return;
    find_candidates(s, h, &x, 0, s->c->word.words, "", 0);
    const hypothesis copy = *h;
    follow(s, &copy, &x, false, least);
}

void compose(compose_scratch *s, const qac_composer *c, const char *prefix, size_t prefix_len, const char *session,
             size_t session_len, uint32_t k, double floor)
{
    s->c = c;
    s->prefix = prefix;
    s->prefix_len = prefix_len;
    s->k = k;
    s->floor = floor;
    s->n_local = s->n_states = s->n_open = s->n_best = s->n_associated = 0;
    s->n_session = 0;
    s->prefix_probability = 0;
    if (prefix_len > QAC_MAX_COMPOSED / 2)
        return;
    if (session_len) {
        read_session(s, session, session_len);
        read_associations(s);
    }
    read_prefix(s);
    const char *partial = prefix + s->head;
    const size_t partial_len = prefix_len - s->head;
    const context x = context_of(s, &s->typed);
    double in_range = find_candidates(s, &s->typed, &x, s->lo, s->hi, partial, partial_len);
    double unknown = 0;
    if (partial_len) {
        /* Not worth it where known words leave new ones less than LEAST_NEW of the chance. */
        const double new_word = (1 - x.copy - x.associate) * ngram_backoff(&c->word, &x.words) * c->unknown;
        generate_words(s, partial, partial_len, LEAST_NEW * in_range / new_word, &unknown);
        in_range += new_word * unknown;
    } else {
        in_range = 1 - x.end; /* anything but the end may follow */
    }
    s->prefix_probability = s->typed.probability * in_range;
    const double least = s->prefix_probability * FEWEST;
    follow(s, &s->typed, &x, true, least);
    while (s->n_open && s->states[s->open[0]].bound > to_beat(s))
        expand_open(s, pop_open(s), least);
}

size_t compose_text(const compose_scratch *s, const composed *best, char *out, size_t size)
{
    const hypothesis *h = &s->states[best->state];
    char buffer[QAC_MAX_LABEL];
    if (s->head > size)
        return 0;
    memcpy(out, s->prefix, s->head);
    size_t at = s->head;
    for (uint32_t i = 0; i < h->n_added; i++) {
        const int len = word_text(s, h->added[i], buffer);
        if (len < 0 || at + (size_t)len + 1 > size)
            return 0;
        if (i)
            out[at++] = ' ';
        memcpy(out + at, buffer, (size_t)len);
        at += (size_t)len;
    }
    return at;
}

composed compose_score(compose_scratch *s, const char *text, size_t len)
{
    const composed none = {0};
    if (len < s->head || s->prefix_len > QAC_MAX_COMPOSED / 2)
        return none;
    const uint32_t n_local = s->n_local; /* words of the text are known for this call only */
    hypothesis h = s->typed;
    for (size_t i = s->head; i < len;) {
        const size_t word = i;
        while (i < len && text[i] != ' ')
            i++;
        const uint32_t number = i > word ? word_number(s, text + word, i - word) : QAC_NO_ID;
        if (number == QAC_NO_ID) {
            s->n_local = n_local;
            return none;
        }
        const context x = context_of(s, &h);
        append(s, &h, number, word_probability(s, &h, &x, number), 0);
        i++;
    }
    const context x = context_of(s, &h);
    s->n_local = n_local;
    const double p = h.probability * x.end;
    return (composed){.score = discounted(s, p, code_points(text, len)), .probability = p};
}

int qac_word_hash(const char *text, const uint64_t *end, uint64_t n, uint64_t *hash)
{
    for (uint64_t i = 0, begin = 0; i < n; begin = end[i++]) {
        if (end[i] < begin)
            return QAC_EINVAL;
        hash[i] = qac_hash(text + begin, (size_t)(end[i] - begin), QAC_TERM_WORD);
    }
    return QAC_OK;
}

/* ---- life ---- */

compose_scratch *compose_scratch_new(const qac_composer *c)
{
    compose_scratch *s = qac_alloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->best = qac_alloc(QAC_MAX_K, sizeof *s->best);
    s->stamp = qac_alloc(c->word.words, sizeof *s->stamp);
    if (!s->best || !s->stamp) {
        compose_scratch_free(s);
        return NULL;
    }
    memset(s->stamp, 0, c->word.words * sizeof *s->stamp);
    s->round = 0;
    return s;
}

void compose_scratch_free(compose_scratch *s)
{
    if (!s)
        return;
    free(s->best);
    free(s->stamp);
    free(s);
}

static bool check_ngrams(const qac_ngrams *g)
{
    if (g->order == 0)
        return true;
    if (g->order < 2 || g->order > QAC_MAX_ORDER || g->words == 0 || g->words >= QAC_CHILD_LABEL ||
        (g->slots & (g->slots - 1)))
        return false;
    for (uint32_t i = 0; i < g->entries; i++)
        if (g->next[i] > g->words)
            return false;
    return true;
}

bool compose_check(const qac_composer *c)
{
    if (!check_ngrams(&c->word) || !check_ngrams(&c->character) || (c->word_slots & (c->word_slots - 1)))
        return false;
    for (uint32_t i = 0; i < c->n_frequent; i++)
        if (c->frequent[i] >= c->word.words)
            return false;
    for (uint32_t i = 0; i < c->n_associations; i++)
        if (c->association[i] >= c->word.words)
            return false;
    const double copies[] = {c->copy_start, c->copy_none, c->copy_some, c->copy_all};
    for (int i = 0; i < 4; i++)
        if (!(copies[i] >= 0 && copies[i] + c->associate <= 1))
            return false;
    return c->share >= 0 && c->share <= 1 && c->unknown >= 0 && c->unknown <= 1 && c->associate >= 0 && c->least >= 0 &&
           c->length_discount >= 0 && isfinite(c->length_discount) && c->length_scale >= 0 && isfinite(c->length_scale);
}

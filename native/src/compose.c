/* compose.c - queries that nobody made before, word by word, best first.
 *
 * A hypothesis is a sequence of words; its probability (mixture.c) never grows, so the search takes them best first and
 * stops when none can beat the k-th found. It is bounded by the number of hypotheses, and so is an approximation: each
 * hypothesis is continued by the likeliest few words of each source.
 */
#include "compose.h"

#include <math.h>

enum { PER_CONTEXT = 8, ENOUGH = 10 };

/* Words outside the vocabulary are not worth their time where known words leave them less than this share. */
static const double LEAST_NEW = 0.02;
static const double EXPECTED = 0.01; /* probability from which a typing error is not looked for */
static const double FEWEST = 1e-3; /* share of the prefix's probability below which nothing is followed up */

/* ---- candidates ---- */

static void add_candidate(compose_scratch *s, uint32_t word)
{
    /* The end and the start are no words; they come here only from a damaged file. */
    if (s->n_candidates == COMPOSE_CANDIDATES || word == QAC_NO_ID ||
        (word >= s->r.c->word.words && word < first_local(s->r.c)))
        return;
    if (word < s->r.c->word.words) {
        if (s->stamp[word] == s->round)
            return;
        s->stamp[word] = s->round;
    } else {
        for (uint32_t i = 0; i < s->n_candidates; i++)
            if (s->candidates[i] == word)
                return;
    }
    s->spelled[s->n_candidates] = NULL;
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
    const local_word *w = &s->r.local[local];
    return w->len >= len && memcmp(w->text, text, len) == 0;
}

/* Words that may follow, of the vocabulary's [lo, hi). partial: what a local word must start with. Returns the
 * probability of all words in the range. */
static double find_candidates(compose_scratch *s, const hypothesis *h, const context *x, uint32_t lo, uint32_t hi,
                              const char *partial, size_t partial_len)
{
    const qac_composer *c = s->r.c;
    const qac_ngrams *g = &c->word;
    s->n_candidates = 0;
    if (++s->round == 0) { /* the counter has gone round: forget all stamps */
        memset(s->stamp, 0, g->words * sizeof *s->stamp);
        s->round = 1;
    }
    const bool all_of_vocabulary = lo == 0 && hi == g->words && partial_len == 0;
    double extra = 0;
    if (x->copy > 0)
        for (uint32_t i = 0; i < s->r.n_session; i++) {
            const uint32_t word = s->r.session[i].word;
            if (h->used >> i & 1 || (word < g->words ? word < lo || word >= hi
                                                      : !starts_with(s, word - first_local(c), partial, partial_len)))
                continue;
            add_candidate(s, word);
            extra += x->copy * copy_weight(&s->r, h, i) / x->copies;
        }
    if (x->associate > 0)
        for (uint32_t i = 0; i < s->r.n_associated; i++)
            if (s->r.associated[i].word >= lo && s->r.associated[i].word < hi) {
                if (s->r.associated[i].weight >= s->associated_floor || lo > 0 || hi < g->words)
                    add_candidate(s, s->r.associated[i].word);
                extra += x->associate * s->r.associated[i].weight;
            }
    /* From the longest context down: what it offers is likeliest, and shorter ones are asked only while candidates are
     * few. The sum goes on: P(w | long) = weight + backoff * P(w | short), so each level's weights count times the
     * back-offs above it. */
    double sum = 0, factor = 1;
    for (uint32_t l = 0; l < x->words.n; l++) {
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

/* Adds words by their characters: those outside the vocabulary, and those of it that words alone find unlikely. */
static void add_spelled(compose_scratch *s, const char *partial, size_t len)
{
    spell_words(&s->speller, s->r.c, s->r.behind, partial, len);
    for (uint32_t i = 0; i < s->speller.n; i++) {
        const uint32_t word = word_number(&s->r, s->speller.word[i].text, s->speller.word[i].len);
        add_candidate(s, word);
        for (uint32_t c = 0; c < s->n_candidates; c++)
            if (s->candidates[c] == word)
                s->spelled[c] = &s->speller.word[i];
    }
}

/* Weight of the associations that are candidates where nothing is typed of a word. */
static double floor_of_associations(const request *r)
{
    double heaviest[PER_CONTEXT] = {0};
    for (uint32_t i = 0; i < r->n_associated; i++) {
        double w = r->associated[i].weight;
        for (uint32_t j = 0; j < PER_CONTEXT && w > 0; j++)
            if (w > heaviest[j]) {
                const double t = heaviest[j];
                heaviest[j] = w;
                w = t;
            }
    }
    return heaviest[PER_CONTEXT - 1];
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
        double end = -1;
        const double p = first ? typed_probability(&s->r, h, x, word, s->spelled[i], &end) : word_probability(&s->r, h, x, word);
        if (!(h->probability * p > least))
            continue;
        const uint32_t length = word_length(&s->r, word) + (first ? 0 : 1);
        if (discounted(s->r.c, h->probability * p, h->length + length) <= to_beat(s))
            continue;
        hypothesis next = *h;
        append(&s->r, &next, x, word, p, end, length);
        next.added[next.n_added++] = word;
        next.bound = discounted(s->r.c, next.probability, next.length);
        push_open(s, &next);
    }
}

static void expand_open(compose_scratch *s, uint32_t number, double least)
{
    hypothesis *h = &s->states[number];
    const context x = context_of(&s->r, h);
    const double p = h->probability * x.end;
    offer_composed(s, (composed){discounted(s->r.c, p, h->length), p, number});
    if (h->n_added == COMPOSE_WORDS)
        return;
    if (h->bound * (1 - x.end) <= to_beat(s))
        return;
    find_candidates(s, h, &x, 0, s->r.c->word.words, "", 0);
    const hypothesis copy = *h;
    follow(s, &copy, &x, false, least);
}

void compose(compose_scratch *s, const qac_composer *c, const char *prefix, size_t prefix_len, const char *session,
             size_t session_len, uint32_t k, double floor)
{
    s->k = k;
    s->floor = floor;
    s->n_states = s->n_open = s->n_best = s->speller.n = 0;
    s->prefix_probability = 0;
    s->r.prefix_len = prefix_len;
    if (prefix_len > QAC_MAX_COMPOSED / 2)
        return;
    read_request(&s->r, c, prefix, prefix_len, session, session_len);
    s->associated_floor = floor_of_associations(&s->r);
    const char *partial = prefix + s->r.head;
    const size_t partial_len = prefix_len - s->r.head;
    const context x = context_of(&s->r, &s->r.typed);
    s->r.in_range = find_candidates(s, &s->r.typed, &x, s->r.lo, s->r.hi, partial, partial_len);
    if (partial_len) {
        const double unknown =
            (1 - x.copy - x.associate) * ngram_backoff(&c->word, &x.words) * c->unknown * s->r.spelled;
        if (unknown > LEAST_NEW * s->r.in_range)
            add_spelled(s, partial, partial_len);
        s->r.in_range += unknown;
    } else {
        s->r.in_range = 1 - x.end; /* anything but the end may follow */
    }
    s->prefix_probability = s->r.typed.probability * s->r.in_range;
    const double least = s->prefix_probability * FEWEST;
    follow(s, &s->r.typed, &x, true, least);
    while (s->n_open && s->states[s->open[0]].bound > to_beat(s))
        expand_open(s, pop_open(s), least);
}

bool compose_expected(const compose_scratch *s)
{
    return s->r.prefix_len <= QAC_MAX_COMPOSED / 2 && s->r.all_known && s->r.lo < s->r.hi && s->r.in_range > EXPECTED;
}

size_t compose_text(const compose_scratch *s, const composed *best, char *out, size_t size)
{
    const hypothesis *h = &s->states[best->state];
    char buffer[QAC_MAX_LABEL];
    if (s->r.head > size)
        return 0;
    memcpy(out, s->r.prefix, s->r.head);
    size_t at = s->r.head;
    for (uint32_t i = 0; i < h->n_added; i++) {
        const int len = word_text(&s->r, h->added[i], buffer);
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
    if (len < s->r.prefix_len || s->r.prefix_len > QAC_MAX_COMPOSED / 2)
        return none;
    const uint32_t n_local = s->r.n_local; /* words of the text are known for this call only */
    hypothesis h = s->r.typed;
    for (size_t i = s->r.head; i < len;) {
        const size_t word = i;
        while (i < len && text[i] != ' ')
            i++;
        const uint32_t number = i > word ? word_number(&s->r, text + word, i - word) : QAC_NO_ID;
        if (number == QAC_NO_ID) {
            s->r.n_local = n_local;
            return none;
        }
        const context x = context_of(&s->r, &h);
        double end = -1;
        const double p = word == s->r.head ? typed_probability(&s->r, &h, &x, number, NULL, &end)
                                           : word_probability(&s->r, &h, &x, number);
        append(&s->r, &h, &x, number, p, end, 0);
        i++;
    }
    const context x = context_of(&s->r, &h);
    s->r.n_local = n_local;
    const double p = h.probability * x.end;
    return (composed){.score = discounted(s->r.c, p, code_points(text, len)), .probability = p};
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
    const bool can_spell = speller_init(&s->speller, c);
    if (!s->best || !s->stamp || !can_spell) {
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
    speller_free(&s->speller);
    free(s);
}

static bool check_ngrams(const qac_ngrams *g)
{
    if (g->order == 0)
        return true;
    if (g->order < 2 || g->order > QAC_MAX_ORDER || g->words == 0 || g->words >= QAC_CHILD_LABEL ||
        g->contexts < g->words + 2 || g->entries >= QAC_CHILD_LABEL)
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
    for (int i = 0; i < QAC_MAX_AGE; i++)
        if (!(c->older[i] >= 0 && c->older[i] <= 1))
            return false;
    const double copies[] = {c->copy_start, c->copy_none, c->copy_some, c->copy_all};
    for (int i = 0; i < 4; i++)
        if (!(copies[i] >= 0 && copies[i] + c->associate <= 1))
            return false;
    return c->share >= 0 && c->share <= 1 && c->unknown >= 0 && c->unknown <= 1 && c->associate >= 0 && c->least >= 0 &&
           (c->word.order == 0 || c->new_query > 0) && c->new_query <= 1 &&
           c->spelling >= 0 && c->spelling <= 1 &&
           c->length_discount >= 0 && isfinite(c->length_discount) && c->length_scale >= 0 && isfinite(c->length_scale);
}

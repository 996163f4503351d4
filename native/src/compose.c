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
static const double FEWEST = 4e-3; /* share of the prefix's probability below which nothing is followed up */

/* ---- candidates ---- */

/* What the n-grams say of a candidate whom they have not been asked about. */
static const ngram_found not_sought = {-1, QAC_NO_ID};

/* A number of a round that no candidate has: the word was met, and is none. */
enum { SEEN = COMPOSE_CANDIDATES, ROUND = COMPOSE_CANDIDATES + 1 };

static void start_round(compose_scratch *s)
{
    s->n_candidates = 0;
    if (s->round > UINT32_MAX - 2 * ROUND) { /* all numbers are used: forget all seats */
        memset(s->seat, 0, s->r.c->word.words * sizeof *s->seat);
        s->round = 0;
    }
    s->round += ROUND;
}

static bool is_met(const compose_scratch *s, uint32_t word) { return s->seat[word] >= s->round; }

/* The candidate that is this word of the vocabulary, or NULL. */
static next_word *candidate_of(compose_scratch *s, uint32_t word)
{
    const uint32_t number = s->seat[word] - s->round;
    return is_met(s, word) && number < s->n_candidates ? &s->candidates[number] : NULL;
}

static void add_candidate(compose_scratch *s, next_word x)
{
    if (s->n_candidates == COMPOSE_CANDIDATES)
        return;
    if (x.word < s->r.c->word.words)
        s->seat[x.word] = s->round + s->n_candidates;
    s->candidates[s->n_candidates++] = x;
}

/* The likeliest so far among words of one source; its n-grams' entry, or QAC_NO_ID. */
typedef struct {
    uint32_t word[PER_CONTEXT];
    ngram_found found[PER_CONTEXT];
    uint32_t n;
} likeliest;

static void note(likeliest *best, uint32_t word, double p, uint32_t entry)
{
    if (best->n == PER_CONTEXT && !(p > best->found[PER_CONTEXT - 1].probability))
        return;
    uint32_t at = best->n < PER_CONTEXT ? best->n++ : PER_CONTEXT - 1;
    for (; at > 0 && best->found[at - 1].probability < p; at--) {
        best->word[at] = best->word[at - 1];
        best->found[at] = best->found[at - 1];
    }
    best->word[at] = word;
    best->found[at] = (ngram_found){p, entry};
}

static void add_likeliest(compose_scratch *s, const likeliest *best)
{
    /* All associated words are candidates by now, unless there are too many. */
    const double association = s->most_associated > 0 ? -1 : 0;
    for (uint32_t i = 0; i < best->n; i++)
        add_candidate(s, (next_word){best->word[i], COMPOSE_SESSION, best->found[i], association, NULL});
}

/* Words of the session that may be copied. Returns how much of the copying they have. */
static double add_copies(compose_scratch *s, const hypothesis *h, const context *x, uint32_t lo, uint32_t hi, slice partial)
{
    const request *r = &s->r;
    double weight = 0;
    for (uint32_t i = 0; i < r->n_session; i++) {
        const uint32_t word = r->session[i].word;
        const bool fits = word < r->c->word.words ? word >= lo && word < hi : starts_with(word_text(r, word), partial);
        if (!fits || h->used >> i & 1)
            continue;
        add_candidate(s, (next_word){word, i, not_sought, -1, NULL});
        weight += copy_weight(r, h, i);
    }
    return weight / x->copies;
}

/* Words of [lo, hi) that are associated with the last query's. Returns the sum of their weights. */
static double add_associated(compose_scratch *s, uint32_t lo, uint32_t hi)
{
    const request *r = &s->r;
    const uint32_t before = s->n_candidates;
    double sum = 0;
    for (uint32_t i = 0; i < r->n_associated; i++) {
        const association_list list = r->associated[i];
        uint32_t at = qac_lower_bound(r->c->association, list.begin, list.end, lo);
        for (; at < list.end && r->c->association[at] < hi; at++) {
            const uint32_t word = r->c->association[at];
            const double weight = association_of(r->c, at);
            sum += weight;
            next_word *has = candidate_of(s, word);
            if (!is_met(s, word))
                add_candidate(s, (next_word){word, COMPOSE_SESSION, not_sought, weight, NULL});
            else if (has && has >= s->candidates + before)
                has->association += weight;
        }
    }
    for (uint32_t i = before; i < s->n_candidates; i++)
        s->candidates[i].association /= r->n_associated;
    s->most_associated = 0;
    return sum / r->n_associated;
}

/* The words of the largest weights among all that are associated: a merge of the lists. */
static void find_associated(compose_scratch *s)
{
    const request *r = &s->r;
    const uint32_t *const words = r->c->association;
    likeliest best = {.n = 0};
    uint32_t at[COMPOSE_SESSION], word = QAC_NO_ID;
    s->has_associated = true;
    s->n_associated = 0;
    for (uint32_t i = 0; i < r->n_associated; i++) {
        at[i] = r->associated[i].begin;
        if (words[at[i]] < word)
            word = words[at[i]];
    }
    for (uint32_t next; word < r->c->word.words; word = next) {
        double sum = 0;
        next = QAC_NO_ID;
        for (uint32_t i = 0; i < r->n_associated; i++) {
            if (at[i] < r->associated[i].end && words[at[i]] == word)
                sum += association_of(r->c, at[i]++);
            if (at[i] < r->associated[i].end && words[at[i]] < next)
                next = words[at[i]];
        }
        note(&best, word, sum / r->n_associated, QAC_NO_ID);
        if (next <= word) /* only in a damaged file */
            break;
    }
    for (; s->n_associated < best.n; s->n_associated++)
        s->associated[s->n_associated] = (next_word){best.word[s->n_associated], COMPOSE_SESSION, not_sought,
                                                     best.found[s->n_associated].probability, NULL};
}

/* The words of the largest weights, where nothing is typed. */
static void add_most_associated(compose_scratch *s)
{
    for (uint32_t i = 0; i < s->n_associated; i++) {
        next_word *has = candidate_of(s, s->associated[i].word);
        if (has)
            has->association = s->associated[i].association;
        else
            add_candidate(s, s->associated[i]);
    }
    s->most_associated = s->n_associated < COMPOSE_ASSOCIATED ? 0 : s->associated[COMPOSE_ASSOCIATED - 1].association;
}

/* Words, as bits: of each one by the end of its number, so that others may have it too. */
typedef struct {
    uint64_t bit[8];
    uint32_t n;
} word_bits;

static bool may_have(const word_bits *words, uint32_t word) { return words->bit[word / 64 % 8] >> word % 64 & 1; }

/* The candidates of the vocabulary that the n-grams have not been asked about. */
static word_bits sought_words(const compose_scratch *s)
{
    word_bits sought = {.n = 0};
    for (uint32_t i = 0; i < s->n_candidates; i++) {
        const uint32_t word = s->candidates[i].word;
        if (word >= s->r.c->word.words)
            continue;
        sought.bit[word / 64 % 8] |= (uint64_t)1 << word % 64;
        sought.n++;
    }
    return sought;
}

/* The least code of a probability that is above `least`, counted times `factor`: codes ascend with what they stand
 * for. */
static uint32_t least_code(const qac_ngrams *g, double factor, double least)
{
    uint32_t code = NGRAM_CODES;
    while (code > 0 && (factor * g->value[code - 1] > least || g->value[code - 1] == 0)) /* 0: no probability has it */
        code--;
    return code;
}

/* The first entry of [at, end) with this code or a larger one, or end. */
static uint32_t skip_smaller(const qac_ngrams *g, uint32_t at, uint32_t end, uint8_t code)
{
    enum { BLOCK = 32 };
    for (; end - at >= BLOCK; at += BLOCK) {
        const uint8_t *const codes = g->probability + at;
        uint8_t largest = 0;
        for (uint32_t i = 0; i < BLOCK; i++) /* compilers know how to do many of these at once */
            largest = codes[i] > largest ? codes[i] : largest;
        if (largest >= code)
            break;
    }
    while (at < end && g->probability[at] < code)
        at++;
    return at;
}

/* Entries [begin, end) of a context, the longest one or not, whose probabilities count times `factor`: those above
 * `least` that no longer context had are noted; candidates among them, and those that are sought, learn their
 * probability. Where some are sought, all entries of longer contexts have been read. */
static void read_entries(compose_scratch *s, uint32_t begin, uint32_t end, bool longest, double factor, double least,
                         const word_bits *sought, likeliest *best)
{
    enum { MANY_ENTRIES = 512 };
    const qac_ngrams *g = &s->r.c->word;
    const bool seeks = sought->n > 0;
    const uint32_t code = seeks || end - begin < MANY_ENTRIES ? 0 : least_code(g, factor, least);
    for (uint32_t at = begin; at < end; at++) {
        if (code) {
            at = code < NGRAM_CODES ? skip_smaller(g, at, end, (uint8_t)code) : end;
            if (at == end)
                break;
        }
        const double p = factor * ngram_of(g, at);
        /* What is likelier in a longer context than here has been there: below `least` there, it is here. */
        if (!seeks && !(p > least))
            continue;
        const uint32_t word = ngram_symbol(g, at);
        if ((!(p > least) && !may_have(sought, word)) || word >= g->words) /* the end */
            continue;
        next_word *has = candidate_of(s, word);
        if (has && has->by_ngrams.probability < 0)
            has->by_ngrams = (ngram_found){p, longest || seeks ? at : QAC_NO_ID}; /* in codes, p may seem to rise */
        if (p > least && !is_met(s, word)) {
            s->seat[word] = s->round + SEEN;
            note(best, word, p, longest ? at : QAC_NO_ID);
        }
    }
}

/* The same for words by their unigrams alone. */
static void read_unigrams(compose_scratch *s, uint32_t lo, uint32_t hi, double factor, double least, likeliest *best)
{
    enum { FEW_WORDS = 2048 };
    const qac_composer *c = s->r.c;
    if (!(factor * (c->unigram_sum[hi] - c->unigram_sum[lo]) > least))
        return;
    if (hi - lo > FEW_WORDS) {
        for (uint32_t i = 0; i < c->n_frequent && best->n < PER_CONTEXT; i++) {
            const uint32_t word = c->frequent[i];
            if (word < c->word.words && word >= lo && word < hi && !is_met(s, word))
                note(best, word, factor * c->word.unigram[word], QAC_NO_ID);
        }
        return;
    }
    for (uint32_t word = lo; word < hi; word++) {
        const double p = factor * c->word.unigram[word];
        if (p > least && !is_met(s, word))
            note(best, word, p, QAC_NO_ID);
    }
}

/* What is known of candidates that have not learned their probability: by the n-grams it is at most `least`, or
 * `factor` times that of shorter contexts; by_unigrams: there are no shorter ones. */
typedef struct {
    double least, factor;
    bool by_unigrams;
} not_found;

static double most_likely(const compose_scratch *s, const not_found *others, uint32_t word)
{
    const bool known = others->by_unigrams && word < s->r.c->word.words;
    const double p = others->factor * (known ? s->r.c->word.unigram[word] : 1);
    return p > others->least ? p : others->least;
}

/* Words of [lo, hi) that are likelier than `least` by the n-grams. From the longest context down: what it offers is
 * likeliest, and shorter ones are asked only while there are fewer candidates than `enough`. The candidates before, which
 * the n-grams have not been asked about, learn their probability, but where they would have to be looked up. */
static not_found add_following(compose_scratch *s, const context *x, uint32_t lo, uint32_t hi, double least,
                               uint32_t enough)
{
    enum { FEW_ENTRIES = 128 }; /* of a context, to be read for the candidates' sake */
    const qac_ngrams *g = &s->r.c->word;
    word_bits sought = sought_words(s);
    double factor = 1;
    for (uint32_t l = 0; l < x->words.n; l++) {
        likeliest best = {.n = 0};
        uint32_t begin, end;
        const bool adding = factor > least && (l == 0 || s->n_candidates < enough);
        ngram_entries(g, x->words.of[l], &begin, &end);
        if (lo > 0)
            begin = ngram_seek(g, begin, end, lo);
        if (hi < g->words)
            end = ngram_seek(g, begin, end, hi);
        if (end - begin > FEW_ENTRIES)
            sought.n = 0;
        if (!adding && !sought.n)
            return (not_found){least, factor, false};
        read_entries(s, begin, end, l == 0, factor, adding ? least : INFINITY, &sought, &best);
        add_likeliest(s, &best);
        factor *= ngram_left(g, x->words.of[l]);
    }
    for (uint32_t i = 0; i < s->n_candidates && sought.n; i++) {
        next_word *its = &s->candidates[i];
        if (its->by_ngrams.probability < 0 && its->word < g->words)
            its->by_ngrams = (ngram_found){factor * g->unigram[its->word], NGRAM_NOWHERE};
    }
    if (factor > least && (x->words.n == 0 || s->n_candidates < enough)) {
        likeliest best = {.n = 0};
        read_unigrams(s, lo, hi, factor, least, &best);
        add_likeliest(s, &best);
    }
    return (not_found){least, factor, true};
}

/* P(the next word is one of [lo, hi) | x) by the n-grams alone. Starts a round. */
static double range_probability(compose_scratch *s, const context *x, uint32_t lo, uint32_t hi)
{
    const qac_composer *c = s->r.c;
    const qac_ngrams *g = &c->word;
    double sum = 0, factor = 1, left = c->unigram_sum[hi] - c->unigram_sum[lo];
    start_round(s);
    for (uint32_t l = 0; l < x->words.n; l++) {
        const bool is_longest = l == 0, is_shortest = l + 1 == x->words.n;
        uint32_t at, end;
        ngram_entries(g, x->words.of[l], &at, &end);
        at = ngram_seek(g, at, end, lo);
        for (end = ngram_seek(g, at, end, hi); at < end; at++) {
            const uint32_t word = ngram_symbol(g, at);
            if (word >= g->words || (!is_longest && is_met(s, word))) /* in a damaged file, or a longer context has it */
                continue;
            if (!is_shortest)
                s->seat[word] = s->round + SEEN;
            sum += factor * ngram_of(g, at);
            left -= g->unigram[word];
        }
        factor *= ngram_left(g, x->words.of[l]);
    }
    return sum + factor * (left > 0 ? left : 0);
}

/* Words by their characters: those outside the vocabulary, and those of it that words alone find unlikely. */
static void add_spelled(compose_scratch *s, slice partial)
{
    spell_words(&s->speller, &s->letters, s->r.behind, partial.text, partial.len);
    for (uint32_t i = 0; i < s->speller.n; i++) {
        const spelling *its = &s->speller.word[i];
        const uint32_t word = word_number(&s->r, its->text, its->len);
        if (word == QAC_NO_ID)
            continue;
        next_word *has = word < s->r.c->word.words ? candidate_of(s, word) : NULL;
        for (uint32_t c = 0; c < s->n_candidates && word >= s->r.c->word.words && !has; c++)
            has = s->candidates[c].word == word ? &s->candidates[c] : NULL;
        if (has)
            has->spelled = its;
        else
            add_candidate(s, (next_word){word, COMPOSE_SESSION, not_sought, -1, its});
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

/* Continues a hypothesis by each of the candidates. first: its word is the one that is being typed. needed: probability
 * that a hypothesis must have; others: of candidates that the n-grams have not been asked about. */
static void follow(compose_scratch *s, const hypothesis *h, const context *x, bool first, double needed,
                   const not_found *others)
{
    const request *r = &s->r;
    for (uint32_t i = 0; i < s->n_candidates; i++) {
        next_word *c = &s->candidates[i];
        const bool learned = c->by_ngrams.probability >= 0;
        const double by_ngrams = learned ? c->by_ngrams.probability : most_likely(s, others, c->word);
        const double association = c->association < 0 ? s->most_associated : c->association;
        if (!first && h->probability * mixed_probability(r, h, x, by_ngrams, c->place, association) <= needed)
            continue;
        if (c->by_ngrams.probability < 0)
            c->by_ngrams = ngrams_probability(r, x, c->word);
        if (c->association < 0)
            c->association = c->word < r->c->word.words ? association_weight(r, c->word) : 0;
        double end = -1, p = mixed_probability(r, h, x, c->by_ngrams.probability, c->place, c->association);
        if (first)
            p = typed_probability(r, x, c->word, (ngram_found){p, c->by_ngrams.entry}, c->spelled, &end);
        if (!(h->probability * p > needed))
            continue;
        const uint32_t length = word_length(r, c->word) + (first ? 0 : 1);
        if (discounted(r->c, h->probability * p, h->length + length) <= to_beat(s))
            continue;
        hypothesis next = *h;
        append(r, &next, c->word, p, end, c->by_ngrams.entry, length);
        next.added[next.n_added++] = c->word;
        next.bound = discounted(r->c, next.probability, next.length);
        push_open(s, &next);
    }
}

/* The word being typed. */
static void begin_word(compose_scratch *s)
{
    request *r = &s->r;
    const qac_composer *c = r->c;
    const hypothesis *typed = &r->typed;
    const slice partial = {r->prefix + r->head, r->prefix_len - r->head};
    const context x = s->typed;
    const double by_ngrams = 1 - x.copy - x.associate; /* that share is theirs */
    r->in_range = by_ngrams * range_probability(s, &x, r->lo, r->hi);
    start_round(s);
    s->most_associated = 0;
    if (x.copy > 0)
        r->in_range += (1 - x.end) * x.copy * add_copies(s, typed, &x, r->lo, r->hi, partial);
    if (x.associate > 0)
        r->in_range += (1 - x.end) * x.associate * add_associated(s, r->lo, r->hi);
    const not_found others =
        add_following(s, &x, r->lo, r->hi, FEWEST * r->in_range / by_ngrams, COMPOSE_CANDIDATES);
    const double new_words = by_ngrams * ngram_backoff(&c->word, &x.words) * c->unknown * r->spelled;
    if (new_words > LEAST_NEW * r->in_range)
        add_spelled(s, partial);
    r->in_range += new_words;
    s->prefix_probability = typed->probability * r->in_range;
    follow(s, typed, &x, true, s->prefix_probability * FEWEST, &others);
}

/* A word of which nothing is typed. h must be settled. */
static void next_words(compose_scratch *s, const hypothesis *h, const context *x, bool first, double least)
{
    const uint32_t words = s->r.c->word.words;
    const double wanted = undiscounted(s->r.c, to_beat(s), h->length + 1), needed = wanted > least ? wanted : least;
    const double by_ngrams = h->probability * (1 - x->copy - x->associate) * x->scale;
    if (x->associate > 0 && !s->has_associated)
        find_associated(s);
    start_round(s);
    s->most_associated = 0;
    if (x->copy > 0)
        add_copies(s, h, x, 0, words, (slice){"", 0});
    if (x->associate > 0)
        add_most_associated(s);
    const not_found others = add_following(s, x, 0, words, needed / by_ngrams, ENOUGH);
    follow(s, h, x, first, needed, &others);
}

static void expand_open(compose_scratch *s, uint32_t number, double least)
{
    hypothesis *h = &s->states[number];
    settle(&s->r, h);
    const context x = context_of(&s->r, h);
    const double p = h->probability * x.end;
    offer_composed(s, (composed){discounted(s->r.c, p, h->length), p, number});
    if (h->n_added == COMPOSE_WORDS || h->bound * (1 - x.end) <= to_beat(s))
        return;
    next_words(s, h, &x, false, least);
}

void compose(compose_scratch *s, const qac_composer *c, const char *prefix, size_t prefix_len, const char *session,
             size_t session_len, uint32_t k, double floor)
{
    s->k = k;
    s->floor = floor;
    s->n_states = s->n_open = s->n_best = s->speller.n = 0;
    s->has_associated = false;
    s->prefix_probability = 0;
    s->r.prefix_len = prefix_len;
    if (prefix_len > QAC_MAX_COMPOSED / 2)
        return;
    read_request(&s->r, c, &s->letters, prefix, prefix_len, session, session_len);
    s->typed = context_of(&s->r, &s->r.typed);
    s->scored.word = QAC_NO_ID;
    if (s->r.head < prefix_len) {
        begin_word(s);
    } else {
        s->r.in_range = 1 - s->typed.end; /* anything but the end may follow */
        s->prefix_probability = s->r.typed.probability * s->r.in_range;
        next_words(s, &s->r.typed, &s->typed, true, s->prefix_probability * FEWEST);
    }
    const double least = s->prefix_probability * FEWEST;
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
    if (s->r.head > size)
        return 0;
    memcpy(out, s->r.prefix, s->r.head);
    size_t at = s->r.head;
    for (uint32_t i = 0; i < h->n_added; i++) {
        const slice word = word_text(&s->r, h->added[i]);
        if (word.len == 0 || at + word.len + 1 > size)
            return 0;
        if (i)
            out[at++] = ' ';
        memcpy(out + at, word.text, word.len);
        at += word.len;
    }
    return at;
}

static void score_first(compose_scratch *s, uint32_t word)
{
    const request *r = &s->r;
    first_word *f = &s->scored;
    double end = -1;
    const ngram_found by_words = word_probability(r, &r->typed, &s->typed, word);
    const double p = typed_probability(r, &s->typed, word, by_words, NULL, &end);
    f->behind = r->typed;
    append(r, &f->behind, word, p, end, by_words.entry, 0);
    settle(r, &f->behind);
    f->next = context_of(r, &f->behind);
    f->word = word < r->c->word.words ? word : QAC_NO_ID; /* other words are known for one text only */
}

composed compose_score(compose_scratch *s, const char *text, size_t len)
{
    const composed none = {0};
    if (len < s->r.prefix_len || s->r.prefix_len > QAC_MAX_COMPOSED / 2)
        return none;
    const uint32_t n_local = s->r.n_local; /* words of the text are known for this call only */
    hypothesis h = s->r.typed;
    const context *x = &s->typed; /* behind h; NULL: not looked up */
    context looked_up;
    for (size_t i = s->r.head; i < len; i++) {
        const size_t word = i;
        while (i < len && text[i] != ' ')
            i++;
        const uint32_t number = i > word ? word_number(&s->r, text + word, i - word) : QAC_NO_ID;
        if (number == QAC_NO_ID) {
            s->r.n_local = n_local;
            return none;
        }
        if (word == s->r.head) {
            if (number != s->scored.word)
                score_first(s, number);
            h = s->scored.behind;
            x = &s->scored.next;
            continue;
        }
        if (!x)
            looked_up = context_of(&s->r, &h);
        const ngram_found p = word_probability(&s->r, &h, x ? x : &looked_up, number);
        append(&s->r, &h, number, p.probability, -1, p.entry, 0);
        settle(&s->r, &h);
        x = NULL;
    }
    s->r.n_local = n_local;
    const double p = h.probability * (x ? x->end : end_probability(&s->r, &h));
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
    s->seat = qac_alloc(c->word.words, sizeof *s->seat);
    if (!s->best || !s->seat) {
        compose_scratch_free(s);
        return NULL;
    }
    memset(s->seat, 0, c->word.words * sizeof *s->seat);
    s->round = 0;
    s->letters = characters_of(c);
    return s;
}

void compose_scratch_free(compose_scratch *s)
{
    if (!s)
        return;
    free(s->best);
    free(s->seat);
    free(s);
}

static bool check_ngrams(const qac_ngrams *g)
{
    if (g->order == 0)
        return g->words == 0;
    return g->order >= 2 && g->order <= QAC_MAX_ORDER && g->words > 0 && g->words < QAC_CHILD_LABEL &&
           g->contexts >= g->words + 2 && g->entries < QAC_CHILD_LABEL && g->contexts - g->words - 2 <= g->entries &&
           g->n_shorter <= g->contexts - g->words - 2 &&
           g->symbol_bytes >= 1 && g->symbol_bytes <= 3;
}

bool compose_check(const qac_composer *c)
{
    if (!check_ngrams(&c->word) || !check_ngrams(&c->character) || !qac_keys_are_valid(&c->word_keys))
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

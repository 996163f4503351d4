/* ngrams.c - n-gram models as tries of flat arrays, the shorter contexts by links.
 *
 * An entry holds the whole probability of its last symbol behind the others, shorter contexts' share included. So a look-up
 * ends at the longest context that has the symbol; what shorter ones say comes times the back-offs of those above.
 */
#include "ngrams.h"

/* The entry of [begin, end) that has the symbol, or QAC_NO_ID; width: as of qac_number. */
static inline uint32_t find(const uint8_t *next, uint32_t width, uint32_t begin, uint32_t end, uint32_t symbol)
{
    const uint32_t at = qac_number_bound(next, width, begin, end, symbol);
    return at < end && qac_number(next, width, at) == symbol ? at : QAC_NO_ID;
}

uint32_t ngram_seek(const qac_ngrams *g, uint32_t begin, uint32_t end, uint32_t symbol)
{
    if (g->symbol_bytes == 1)
        return qac_number_bound(g->next, 1, begin, end, symbol);
    if (g->symbol_bytes == 2)
        return qac_number_bound(g->next, 2, begin, end, symbol);
    return qac_number_bound(g->next, 3, begin, end, symbol);
}

/* The node without its first symbol, or QAC_NO_ID. context < contexts. */
static inline uint32_t shorter_context(const qac_ngrams *g, uint32_t context)
{
    const uint32_t symbols = g->words + 2, longer = g->contexts - g->n_shorter;
    if (context >= longer)
        return g->shorter[context - longer];
    return context >= symbols ? ngram_symbol(g, context - symbols) : QAC_NO_ID;
}

ngram_contexts ngram_find(const qac_ngrams *g, uint32_t context)
{
    ngram_contexts found = {.n = 0};
    /* Links lead to shorter n-grams; the bound is for damaged files. */
    for (; context < g->contexts && found.n + 1 < g->order; context = shorter_context(g, context))
        found.of[found.n++] = context;
    return found;
}

/* The entry of a symbol in a context, or QAC_NO_ID. */
static inline uint32_t entry_of(const qac_ngrams *g, uint32_t context, uint32_t symbol)
{
    uint32_t begin, end;
    ngram_entries(g, context, &begin, &end);
    if (g->symbol_bytes == 1)
        return find(g->next, 1, begin, end, symbol);
    if (g->symbol_bytes == 2)
        return find(g->next, 2, begin, end, symbol);
    return find(g->next, 3, begin, end, symbol);
}

/* The node of a symbol alone, as a context. */
static inline uint32_t alone(const qac_ngrams *g, uint32_t symbol) { return symbol < g->words ? symbol : QAC_NO_ID; }

static inline bool is_context(const qac_ngrams *g, uint32_t entry)
{
    return entry < g->contexts && entry + g->words + 2 < g->contexts; /* QAC_NO_ID is none */
}

static inline double unigram(const qac_ngrams *g, uint32_t symbol) { return symbol <= g->words ? g->unigram[symbol] : 0; }

ngram_found ngram_look_up(const qac_ngrams *g, const ngram_contexts *contexts, uint32_t symbol)
{
    double factor = 1;
    for (uint32_t i = 0; i < contexts->n; i++) {
        const uint32_t at = entry_of(g, contexts->of[i], symbol);
        if (at != QAC_NO_ID)
            return (ngram_found){factor * ngram_of(g, at), at};
        factor *= ngram_left(g, contexts->of[i]);
    }
    return (ngram_found){factor * unigram(g, symbol), NGRAM_NOWHERE};
}

double ngram_end(const qac_ngrams *g, const ngram_contexts *contexts)
{
    double factor = 1;
    for (uint32_t i = 0; i < contexts->n; i++) {
        uint32_t begin, end;
        ngram_entries(g, contexts->of[i], &begin, &end);
        if (begin < end && ngram_symbol(g, end - 1) == g->words) /* the end stands last */
            return factor * ngram_of(g, end - 1);
        factor *= ngram_left(g, contexts->of[i]);
    }
    return factor * unigram(g, g->words);
}

uint32_t ngram_follow(const qac_ngrams *g, uint32_t context, uint32_t symbol, uint32_t entry)
{
    if (is_context(g, entry))
        return entry + g->words + 2;
    if (entry == NGRAM_NOWHERE)
        return alone(g, symbol);
    const ngram_contexts contexts = ngram_find(g, context);
    /* An entry that is none is of the longest n-grams. */
    for (uint32_t i = entry == QAC_NO_ID ? 0 : 1; i < contexts.n; i++) {
        const uint32_t at = entry_of(g, contexts.of[i], symbol);
        if (is_context(g, at))
            return at + g->words + 2;
    }
    return alone(g, symbol);
}

double ngram_step(const qac_ngrams *g, uint32_t *context, uint32_t symbol)
{
    double p = -1, factor = 1;
    uint32_t from = *context;
    for (uint32_t n = 1; from < g->contexts && n < g->order; n++, from = shorter_context(g, from)) {
        const uint32_t at = entry_of(g, from, symbol);
        if (at != QAC_NO_ID && p < 0)
            p = factor * ngram_of(g, at);
        if (is_context(g, at)) { /* then p is known too */
            *context = at + g->words + 2;
            return p;
        }
        factor *= ngram_left(g, from);
    }
    *context = alone(g, symbol);
    return p < 0 ? factor * unigram(g, symbol) : p;
}

double ngram_backoff(const qac_ngrams *g, const ngram_contexts *contexts)
{
    double p = 1;
    for (uint32_t i = 0; i < contexts->n; i++)
        p *= ngram_left(g, contexts->of[i]);
    return p;
}

/* ngrams.c - n-gram models as tries of flat arrays, the shorter contexts by links. */
#include "ngrams.h"

ngram_contexts ngram_find(const qac_ngrams *g, uint32_t context)
{
    ngram_contexts found = {.n = 0};
    /* Links lead to shorter n-grams; the bound is for damaged files. */
    while (context < g->contexts && found.n + 1 < g->order) {
        found.of[found.n++] = context;
        context = context < g->words + 2 ? QAC_NO_ID : g->shorter[context - g->words - 2];
    }
    return found;
}

void ngram_entries(const qac_ngrams *g, uint32_t context, uint32_t *begin, uint32_t *end)
{
    *begin = context ? g->child_end[context - 1] : 0;
    *end = g->child_end[context];
    if (*begin > *end || *end > g->entries) /* only in a damaged file */
        *begin = *end = 0;
}

/* The entry of a symbol in a context, or QAC_NO_ID. */
static inline uint32_t entry_of(const qac_ngrams *g, uint32_t context, uint32_t symbol)
{
    uint32_t begin, end;
    ngram_entries(g, context, &begin, &end);
    const uint32_t at = qac_lower_bound(g->next, begin, end, symbol);
    return at < end && g->next[at] == symbol ? at : QAC_NO_ID;
}

/* The node of a symbol alone, as a context. */
static inline uint32_t alone(const qac_ngrams *g, uint32_t symbol) { return symbol < g->words ? symbol : QAC_NO_ID; }

static inline bool is_context(const qac_ngrams *g, uint32_t entry)
{
    return entry < g->contexts && entry + g->words + 2 < g->contexts; /* QAC_NO_ID is none */
}

double ngram_probability(const qac_ngrams *g, const ngram_contexts *contexts, uint32_t symbol)
{
    double p = 0, factor = 1;
    for (uint32_t i = 0; i < contexts->n; i++) {
        const uint32_t at = entry_of(g, contexts->of[i], symbol);
        if (at != QAC_NO_ID)
            p += factor * g->weight[at];
        factor *= g->backoff[contexts->of[i]];
    }
    return symbol <= g->words ? p + factor * g->unigram[symbol] : p;
}

uint32_t ngram_follow(const qac_ngrams *g, const ngram_contexts *contexts, uint32_t symbol)
{
    for (uint32_t i = 0; i < contexts->n; i++) {
        const uint32_t at = entry_of(g, contexts->of[i], symbol);
        if (is_context(g, at))
            return at + g->words + 2;
    }
    return alone(g, symbol);
}

double ngram_step(const qac_ngrams *g, uint32_t *context, uint32_t symbol)
{
    const ngram_contexts contexts = ngram_find(g, *context);
    double p = 0, factor = 1;
    *context = alone(g, symbol);
    for (uint32_t i = 0, found = 0; i < contexts.n; i++) {
        const uint32_t at = entry_of(g, contexts.of[i], symbol);
        if (at != QAC_NO_ID)
            p += factor * g->weight[at];
        if (!found && is_context(g, at)) {
            *context = at + g->words + 2;
            found = 1;
        }
        factor *= g->backoff[contexts.of[i]];
    }
    return symbol <= g->words ? p + factor * g->unigram[symbol] : p;
}

double ngram_backoff(const qac_ngrams *g, const ngram_contexts *contexts)
{
    double p = 1;
    for (uint32_t i = 0; i < contexts->n; i++)
        p *= g->backoff[contexts->of[i]];
    return p;
}

/* ngrams.c - n-gram models as flat arrays: contexts in a hash table, their continuations sorted. */
#include "ngrams.h"

/* Hash of a context: its symbols, newest first. */
static uint64_t context_hash(const uint32_t *history, uint32_t length)
{
    uint64_t h = length;
    for (uint32_t i = 0; i < length; i++)
        h = qac_mix(h ^ history[i]) + 0x9e3779b97f4a7c15ULL;
    return h;
}

void qac_context_hash(const uint32_t *symbols, uint64_t n, uint32_t length, uint64_t *hash)
{
    for (uint64_t i = 0; i < n; i++)
        hash[i] = context_hash(symbols + i * length, length);
}

ngram_state ngram_find(const qac_ngrams *g, const uint32_t *history, uint32_t n)
{
    ngram_state state = {.longest = 0};
    for (uint32_t length = 1; length < g->order && length <= n && length < QAC_MAX_ORDER; length++) {
        const uint64_t h = context_hash(history, length);
        const uint32_t context = qac_slot_find(g->slot_hash, g->slot_id, g->slots, h);
        if (context >= g->contexts) /* also QAC_NO_ID: what is not known does not get known by more history */
            break;
        state.of[state.longest++] = context;
    }
    return state;
}

void ngram_entries(const qac_ngrams *g, uint32_t context, uint32_t *begin, uint32_t *end)
{
    *begin = context ? g->context_end[context - 1] : 0;
    *end = g->context_end[context];
    if (*begin > *end || *end > g->entries) /* only in a damaged file */
        *begin = *end = 0;
}

double ngram_probability(const qac_ngrams *g, const ngram_state *state, uint32_t symbol)
{
    double p = symbol <= g->words ? g->unigram[symbol] : 0;
    for (uint32_t i = 0; i < state->longest; i++) {
        uint32_t begin, end;
        ngram_entries(g, state->of[i], &begin, &end);
        const uint32_t at = qac_lower_bound(g->next, begin, end, symbol);
        p = g->backoff[state->of[i]] * p + (at < end && g->next[at] == symbol ? g->weight[at] : 0);
    }
    return p;
}

double ngram_backoff(const qac_ngrams *g, const ngram_state *state)
{
    double p = 1;
    for (uint32_t i = 0; i < state->longest; i++)
        p *= g->backoff[state->of[i]];
    return p;
}

/* test_ngrams.c - walks through the tries against the contexts as they are written down. */
#include "ngrams.h"
#include "test.h"

enum { LONGEST = 6 };

static bool near(double a, double b) { return a - b <= 1e-6 * b && b - a <= 1e-6 * b; }

/* All that can be asked of a context, `before` being the symbols that led there. */
static void check_context(const qac_ngrams *g, const sample_ngrams *plain, uint32_t context, const uint32_t *before,
                          uint32_t n)
{
    const ngram_contexts contexts = ngram_find(g, context);
    CHECK(contexts.n < g->order);
    const double outside = sample_probability(plain, before, n, g->words + 2);
    double sum = outside;
    CHECK(near(ngram_backoff(g, &contexts) * plain->unknown, outside));
    for (uint32_t symbol = 0; symbol <= g->words; symbol++) {
        const double p = sample_probability(plain, before, n, symbol);
        uint32_t next = context;
        CHECK(near(ngram_probability(g, &contexts, symbol), p));
        CHECK(near(ngram_step(g, &next, symbol), p));
        CHECK(next == ngram_follow(g, &contexts, symbol));
        sum += p;
    }
    CHECK(near(sum, 1));
    uint32_t nowhere = context;
    CHECK(ngram_step(g, &nowhere, g->words + 2) == 0 && nowhere == QAC_NO_ID);
    CHECK(ngram_follow(g, &contexts, QAC_NO_ID) == QAC_NO_ID);
}

/* Every sequence of up to LONGEST symbols, one of them outside the model. */
static void walk(const qac_ngrams *g, const sample_ngrams *plain, uint32_t context, uint32_t *before, uint32_t n)
{
    check_context(g, plain, context, before, n);
    if (n == LONGEST)
        return;
    for (uint32_t symbol = 0; symbol <= g->words + 2; symbol++) {
        if (symbol == g->words || symbol == g->words + 1 || (n > 2 && random_below(g->words) > 1))
            continue;
        uint32_t next = context;
        ngram_step(g, &next, symbol);
        before[n] = symbol;
        walk(g, plain, next, before, n + 1);
    }
}

void test_ngrams(void)
{
    sample s = make_composing_sample();
    uint32_t before[LONGEST];
    const qac_composer *c = &s.parts.composer;
    walk(&c->word, &WORD_NGRAMS, ngram_start(&c->word), before, 0);
    walk(&c->character, &CHARACTER_NGRAMS, ngram_start(&c->character), before, 0);
    free_sample(&s);
}

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
        const ngram_found found = ngram_look_up(g, &contexts, symbol);
        CHECK(near(found.probability, p));
        CHECK(near(ngram_step(g, &next, symbol), p));
        CHECK(next == ngram_follow(g, context, symbol, found.entry));
        CHECK(next == ngram_follow(g, context, symbol, QAC_NO_ID));
        sum += p;
    }
    CHECK(near(sum, 1));
    uint32_t nowhere = context;
    CHECK(ngram_step(g, &nowhere, g->words + 2) == 0 && nowhere == QAC_NO_ID);
    CHECK(ngram_follow(g, context, QAC_NO_ID, QAC_NO_ID) == QAC_NO_ID);
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

/* A model's symbols in another width. */
static uint8_t *symbols_in(const qac_ngrams *g, uint32_t width)
{
    uint8_t *next = allocate(width * g->entries);
    for (uint32_t i = 0; i < g->entries; i++) {
        const uint32_t symbol = ngram_symbol(g, i);
        memcpy(next + width * i, &symbol, width);
    }
    return next;
}

static void test_walks(void)
{
    sample s = make_composing_sample();
    uint32_t before[LONGEST];
    const sample_ngrams *const plain[] = {&WORD_NGRAMS, &CHARACTER_NGRAMS};
    const qac_ngrams *const models[] = {&s.parts.composer.word, &s.parts.composer.character};
    for (uint32_t width = 1; width <= 3; width++)
        for (int m = 0; m < 2; m++) {
            uint8_t *next = symbols_in(models[m], width);
            qac_ngrams g = *models[m];
            g.symbol_bytes = width;
            g.next = next;
            walk(&g, plain[m], ngram_start(&g), before, 0);
            free(next);
        }
    free_sample(&s);
}

/* More words than two bytes can number: what follows the first agrees in one byte or two, and only three tell. */
static void test_many_words(void)
{
    enum { WORDS = 0x12000, END = WORDS };
    static const uint32_t after[] = {0x56, 0x156, 0x10056, 0x10156, WORDS - 1, END};
    enum { ENTRIES = sizeof after / sizeof *after };
    float *unigram = allocate((WORDS + 1) * sizeof *unigram), value[256] = {0}, backoff_value[256] = {0.5f};
    uint32_t *child_end = allocate((WORDS + 2) * sizeof *child_end);
    uint8_t *backoff = allocate(WORDS + 2), *next = allocate(3 * ENTRIES), probability[ENTRIES];
    memset(backoff, 0, WORDS + 2);
    for (uint32_t i = 0; i <= WORDS; i++)
        unigram[i] = 0x1p-21f;
    for (uint32_t i = 0; i < WORDS + 2; i++)
        child_end[i] = ENTRIES;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        const uint8_t symbol[] = {(uint8_t)after[i], (uint8_t)(after[i] >> 8), (uint8_t)(after[i] >> 16)};
        memcpy(next + 3 * i, symbol, 3);
        probability[i] = (uint8_t)i;
        value[i] = 0.01f * (float)(i + 1);
    }
    const qac_ngrams g = {.order = 2,
                          .words = WORDS,
                          .unigram = unigram,
                          .child_end = child_end,
                          .backoff = backoff,
                          .backoff_value = backoff_value,
                          .contexts = WORDS + 2,
                          .symbol_bytes = 3,
                          .next = next,
                          .probability = probability,
                          .value = value,
                          .entries = ENTRIES};
    const ngram_contexts first = ngram_find(&g, 0);
    uint32_t at = 0;
    for (uint32_t symbol = 0; symbol <= WORDS; symbol++) {
        CHECK(ngram_seek(&g, 0, ENTRIES, symbol) == at);
        const bool follows = at < ENTRIES && after[at] == symbol;
        CHECK(ngram_look_up(&g, &first, symbol).probability == (follows ? value[at] : 0.5 * 0x1p-21));
        at += follows;
    }
    CHECK(at == ENTRIES && ngram_seek(&g, 0, ENTRIES, WORDS + 1) == ENTRIES);
    CHECK(ngram_end(&g, &first) == value[ENTRIES - 1]);
    free(unigram);
    free(child_end);
    free(backoff);
    free(next);
}

void test_ngrams(void)
{
    test_walks();
    test_many_words();
}

/* test_spelling.c - words by their characters, against all words there can be. */
#include "spelling.h"
#include "test.h"

enum { CHARACTERS = 6, SPACE = 0, END = 6 };

static bool near(double a, double b) { return a - b <= 1e-6 * b && b - a <= 1e-6 * b; }

static uint32_t symbols_of(const char *text, uint32_t *symbols)
{
    uint32_t n = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p; p += *p < 0x80 ? 1 : 2) {
        const uint32_t point = *p < 0x80 ? *p : (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
        uint32_t i = 0;
        while (i < CHARACTERS && SAMPLE_ALPHABET[i] != point)
            i++;
        symbols[n++] = i < CHARACTERS ? i : CHARACTERS + 2;
    }
    return n;
}

/* P(the characters of `rest` | those of `before`). */
static double plain_spelling(const char *before, const char *rest)
{
    uint32_t symbols[SAMPLE_MOST_SYMBOLS], after[SAMPLE_MOST_SYMBOLS];
    const uint32_t n = symbols_of(before, symbols), m = symbols_of(rest, after);
    double p = 1;
    for (uint32_t i = 0; i < m; i++) {
        p *= after[i] < CHARACTERS ? sample_probability(&CHARACTER_NGRAMS, symbols, n + i, after[i]) : 1e-5;
        symbols[n + i] = after[i];
    }
    return p;
}

static word_boundary plain_boundary(const char *before)
{
    uint32_t symbols[SAMPLE_MOST_SYMBOLS];
    const uint32_t n = symbols_of(before, symbols);
    return (word_boundary){.end = sample_probability(&CHARACTER_NGRAMS, symbols, n, END),
                           .space = sample_probability(&CHARACTER_NGRAMS, symbols, n, SPACE)};
}

static uint32_t context_behind(const characters *c, const char *text)
{
    uint32_t context = ngram_start(c->model);
    spell(c, &context, text, strlen(text));
    return context;
}

static void test_texts(const characters *c)
{
    static const char *const texts[] = {"",   "x",   "xy", "xya", "x xyb", " xy\xC3\xA9", "\xC3\xA9 xy", "q", "xq", "qx",
                                        "xyqxy", "x \xC3\xB6 x xy", "aaaaaa", "\xE6\x97\xA5x", "\xF0\x9F\x98\x80 x"};
    const size_t n = sizeof texts / sizeof *texts;
    for (size_t i = 0; i < n - 2; i++)
        for (size_t j = 0; j < n - 2; j++) {
            char both[32];
            uint32_t context = context_behind(c, texts[i]);
            CHECK(near(spell(c, &context, texts[j], strlen(texts[j])), plain_spelling(texts[i], texts[j])));
            sprintf(both, "%s%s", texts[i], texts[j]);
            CHECK(context == context_behind(c, both));
            const word_boundary has = spell_boundary(c, context), wanted = plain_boundary(both);
            CHECK(near(has.end, wanted.end) && near(has.space, wanted.space));
        }
    /* Of three and four bytes: one unknown character each. */
    uint32_t context = ngram_start(c->model);
    const uint32_t unknown[] = {CHARACTERS + 2};
    CHECK(near(spell(c, &context, texts[n - 2], 4), 1e-5 * sample_probability(&CHARACTER_NGRAMS, unknown, 1, 3)));
    context = ngram_start(c->model);
    CHECK(near(spell(c, &context, texts[n - 1], 4), 1e-5));
    char unlikely[100];
    memset(unlikely, 'q', sizeof unlikely);
    context = ngram_start(c->model);
    CHECK(spell(c, &context, unlikely, sizeof unlikely) > 0);
}

/* ---- words ---- */

/* First place of a word among those that are spelled, or their number. */
static uint32_t place_of(const speller *s, const char *word)
{
    uint32_t i = 0;
    while (i < s->n && (s->word[i].len != strlen(word) || memcmp(s->word[i].text, word, s->word[i].len) != 0))
        i++;
    return i;
}

/* Has the last character of the text been seen after those before it? What comes by the unigrams alone is not looked
 * for. */
static bool is_seen(const char *text)
{
    const sample_ngrams *g = &CHARACTER_NGRAMS;
    uint32_t symbols[SAMPLE_MOST_SYMBOLS + 1] = {g->words + 1};
    const uint32_t n = symbols_of(text, symbols + 1); /* before the last, the start among them */
    for (uint32_t i = 0; i < g->n_contexts; i++) {
        const sample_context *c = &g->context[i];
        if (c->n > n || memcmp(symbols + n - c->n, c->symbols, c->n * sizeof *symbols) != 0)
            continue;
        for (uint32_t j = 0; j < c->n_next; j++)
            if (c->next[j] == symbols[n])
                return true;
    }
    return false;
}

/* What is likely enough to be followed up must have been found. */
static void find_all(const speller *s, const char *before, const char *partial, const char *rest, uint32_t *found)
{
    static const char *const letters[] = {"a", "b", "x", "y", "\xC3\xA9"};
    char word[SPELLED_BYTES], text[2 * SPELLED_BYTES], longer[SPELLED_BYTES];
    snprintf(text, sizeof text, "%s%s", before, partial);
    const double p = plain_spelling(text, rest);
    if (p < 0.011)
        return;
    snprintf(word, sizeof word, "%s%s", partial, rest);
    snprintf(text, sizeof text, "%s%s", before, word);
    const word_boundary behind = plain_boundary(text);
    if (p * (behind.end + behind.space) > 0.011) {
        CHECK(place_of(s, word) < s->n);
        ++*found;
    }
    for (int i = 0; i < 5; i++) {
        snprintf(longer, sizeof longer, "%s%s", rest, letters[i]);
        snprintf(text, sizeof text, "%s%s%s", before, partial, longer);
        if (is_seen(text))
            find_all(s, before, partial, longer, found);
    }
}

static void test_words(speller *s, const characters *c)
{
    static const char *const before[] = {"", "x ", "xy xy ", "q "};
    static const char *const partials[] = {"x", "xy", "q", "a", "bx", "\xC3\xA9"};
    uint32_t found = 0;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        for (size_t j = 0; j < sizeof partials / sizeof *partials; j++) {
            char text[32];
            snprintf(text, sizeof text, "%s%s", before[i], partials[j]);
            const size_t len = strlen(partials[j]);
            spell_words(s, c, context_behind(c, text), partials[j], len);
            CHECK(s->n >= 1 && s->n <= SPELLED_WORDS && s->word[0].len == len && s->word[0].probability == 1);
            for (uint32_t w = 0; w < s->n; w++) {
                const spelling *its = &s->word[w];
                char word[SPELLED_BYTES + 1];
                CHECK(its->len <= SPELLED_BYTES);
                memcpy(word, its->text, its->len);
                word[its->len] = 0;
                CHECK(memcmp(word, partials[j], len) == 0 && !strchr(word, ' ') && place_of(s, word) == w);
                CHECK(near(its->probability, plain_spelling(text, word + len)));
                CHECK(w == 0 || its->probability <= s->word[w - 1].probability);
            }
            find_all(s, before[i], partials[j], "", &found);
        }
    CHECK(found > 50);
}

/* After each character all but certainly the same one: words grow as long as there is room. */
static void test_long_words(speller *s, const qac_composer *from)
{
    enum { Y = 4, E = 5 };
    for (uint32_t symbol = Y; symbol <= E; symbol++) {
        qac_composer own = *from;
        const uint8_t next[] = {(uint8_t)symbol}, probability[] = {1}, backoff[] = {0, 0, 0, 0, 1, 1, 0, 0};
        const uint32_t child_end[] = {0, 0, 0, 0, symbol == Y, 1, 1, 1};
        float value[256] = {0, 0.995f}, backoff_value[256] = {1, 0.005f};
        own.character.order = 2;
        own.character.contexts = own.character.words + 2;
        own.character.n_shorter = 0;
        own.character.entries = 1;
        own.character.next = next;
        own.character.symbol_bytes = 1;
        own.character.probability = probability;
        own.character.value = value;
        own.character.child_end = child_end;
        own.character.backoff = backoff;
        own.character.backoff_value = backoff_value;
        const characters c = characters_of(&own);
        const char *const one = symbol == Y ? "y" : "\xC3\xA9";
        const size_t size = strlen(one);
        char partial[SPELLED_BYTES + 4];
        for (size_t len = 0; len <= SPELLED_BYTES + 2; len += size) {
            for (size_t i = 0; i < len; i++)
                partial[i] = one[i % size];
            spell_words(s, &c, symbol, partial, len);
            CHECK(s->n == (len > 0 && len <= SPELLED_BYTES));
        }
        /* Likely enough to be a word at every length. */
        const float unigram[] = {0, 0, 0, 0, 0, 0, 1};
        value[1] = 0.9f;
        backoff_value[1] = 0.1f;
        own.character.unigram = unigram;
        for (size_t len = SPELLED_BYTES - 20; len <= SPELLED_BYTES; len += size) {
            for (size_t i = 0; i < len; i++)
                partial[i] = one[i % size];
            spell_words(s, &c, symbol, partial, len);
            uint32_t wanted = 1; /* a code point has up to four bytes: fewer are no room */
            for (size_t longer = len + size; longer - size + 4 <= SPELLED_BYTES; longer += size)
                wanted++;
            CHECK(s->n == wanted);
            CHECK(s->word[s->n - 1].len <= SPELLED_BYTES);
        }
    }
}

void test_spelling(void)
{
    sample s = make_composing_sample();
    speller with;
    const characters letters = characters_of(&s.parts.composer);
    test_texts(&letters);
    test_words(&with, &letters);
    test_long_words(&with, &s.parts.composer);
    free_sample(&s);
}

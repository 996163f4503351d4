/* spelling.c - how characters go on, by an n-gram model of the queries' characters. */
#include "spelling.h"

enum { ROUNDS = 28 };

static const double LEAST = 0.008;         /* chance below which the beginning of a word is not followed up */
static const double OUTSIDE = 1e-5;        /* of a character that is in no query */
static const double UNLIKELIEST = 1e-100;  /* products must not come to 0 */

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

double spell(const qac_composer *c, uint32_t *context, const char *text, size_t len)
{
    double p = 1;
    for (size_t i = 0, used; i < len; i += used) {
        const uint32_t symbol = character_of(c, text + i, len - i, &used);
        const double known = ngram_step(&c->character, context, symbol);
        p *= symbol < c->character.words ? known : OUTSIDE;
    }
    return p > UNLIKELIEST ? p : UNLIKELIEST;
}

static uint32_t space_of(const qac_composer *c)
{
    size_t used;
    return character_of(c, " ", 1, &used);
}

word_boundary spell_boundary(const qac_composer *c, uint32_t context)
{
    if (c->character.order == 0)
        return (word_boundary){0, 0};
    const ngram_contexts contexts = ngram_find(&c->character, context);
    const uint32_t space = space_of(c);
    return (word_boundary){
        .end = ngram_probability(&c->character, &contexts, c->character.words),
        .space = space < c->character.words ? ngram_probability(&c->character, &contexts, space) : 0,
    };
}

/* ---- words, likeliest first ---- */

static uint32_t put_code_point(char *out, uint32_t point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    const uint32_t more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3; /* bytes that follow the first */
    static const unsigned char first[] = {0, 0xC0, 0xE0, 0xF0};
    out[0] = (char)(first[more] | (point >> 6 * more & 0x3F));
    for (uint32_t i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (point >> 6 * (more - i) & 0x3F));
    return more + 1;
}

/* Puts the beginning of a word among the open ones; the least likely makes room. Returns its place, or NULL. */
static spelling *push_open(speller *s, double p)
{
    uint32_t at = s->n_open;
    if (at < OPEN_SPELLINGS) {
        s->n_open++;
    } else {
        at = 0;
        for (uint32_t i = 1; i < OPEN_SPELLINGS; i++)
            if (s->open[i].probability < s->open[at].probability)
                at = i;
        if (!(p > s->open[at].probability))
            return NULL;
    }
    s->open[at].probability = p;
    return &s->open[at];
}

static bool pop_open(speller *s, spelling *out)
{
    if (s->n_open == 0)
        return false;
    uint32_t best = 0;
    for (uint32_t i = 1; i < s->n_open; i++)
        if (s->open[i].probability > s->open[best].probability)
            best = i;
    *out = s->open[best];
    s->open[best] = s->open[--s->n_open];
    return true;
}

/* Makes a beginning of a word longer by each likely character. Returns the chance that it is a whole word. */
static double spell_on(speller *s, const qac_composer *c, const spelling *from)
{
    const qac_ngrams *g = &c->character;
    const ngram_contexts contexts = ngram_find(g, from->context);
    const uint32_t space = space_of(c);
    double boundary = 0, factor = 1;
    uint32_t n = 0;
    for (uint32_t l = 0; l < contexts.n; l++) {
        uint32_t at, end;
        for (ngram_entries(g, contexts.of[l], &at, &end); at < end; at++) {
            const uint32_t symbol = g->next[at];
            const double p = factor * g->weight[at];
            if (symbol == g->words || symbol == space) {
                boundary += p;
                continue;
            }
            if (s->chance[symbol] == 0) {
                if (n == SPELLED_CHARACTERS)
                    continue;
                s->touched[n++] = symbol;
            }
            s->chance[symbol] += p;
        }
        factor *= g->backoff[contexts.of[l]];
    }
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t symbol = s->touched[i];
        const double p = from->probability * (s->chance[symbol] + factor * g->unigram[symbol]);
        s->chance[symbol] = 0;
        spelling *to = p > LEAST ? push_open(s, p) : NULL;
        if (!to)
            continue;
        memcpy(to->text, from->text, from->len);
        to->len = from->len + put_code_point(to->text + from->len, c->alphabet[symbol]);
        to->context = ngram_follow(g, &contexts, symbol);
    }
    return boundary + factor * (g->unigram[g->words] + (space < g->words ? g->unigram[space] : 0));
}

void spell_words(speller *s, const qac_composer *c, uint32_t context, const char *partial, size_t len)
{
    s->n = s->n_open = 0;
    if (c->character.order == 0 || len == 0 || len > SPELLED_BYTES)
        return;
    spelling from = {.probability = 1, .context = context, .len = (uint32_t)len};
    memcpy(from.text, partial, len);
    for (uint32_t round = 0; round < ROUNDS && s->n < SPELLED_WORDS; round++) {
        const bool can_grow = from.len + 4 <= SPELLED_BYTES;
        const double whole = can_grow ? from.probability * spell_on(s, c, &from) : 0;
        if (round == 0 || whole >= LEAST)
            s->word[s->n++] = from;
        if (!pop_open(s, &from))
            return;
    }
}

bool speller_init(speller *s, const qac_composer *c)
{
    s->chance = qac_alloc((uint64_t)c->character.words + 1, sizeof *s->chance);
    for (uint32_t i = 0; s->chance && i <= c->character.words; i++)
        s->chance[i] = 0;
    return s->chance != NULL;
}

void speller_free(speller *s) { free(s->chance); }

/* spelling.c - how characters go on, by an n-gram model of the queries' characters. */
#include "spelling.h"

enum { ROUNDS = 28 };

static const double LEAST = 0.008;         /* chance below which the beginning of a word is not followed up */
static const double OUTSIDE = 1e-5;        /* of a character that is in no query */
static const double UNLIKELIEST = 1e-100;  /* products must not come to 0 */

static uint32_t outside(const characters *c) { return c->model->words + 2; }

static uint32_t symbol_of(const qac_ngrams *model, const uint32_t *alphabet, uint32_t point)
{
    const uint32_t at = qac_lower_bound(alphabet, 0, model->words, point);
    return at < model->words && alphabet[at] == point ? at : model->words + 2;
}

/* The symbol of a code point in the alphabet; of any other, one that is in no model. */
static uint32_t next_symbol(const characters *c, const char *s, size_t len, size_t *used)
{
    const unsigned char b = (unsigned char)s[0];
    if (b < 0x80) {
        *used = 1;
        return c->of_ascii[b];
    }
    size_t n = 1;
    while (n < len && n < 4 && !qac_starts_code_point(s[n]))
        n++;
    *used = n;
    if (n == 1) /* no UTF-8 */
        return outside(c);
    uint32_t point = n == 2 ? b & 0x1Fu : n == 3 ? b & 0x0Fu : b & 0x07u;
    for (size_t i = 1; i < n; i++)
        point = point << 6 | ((unsigned char)s[i] & 0x3Fu);
    return symbol_of(c->model, c->alphabet, point);
}

characters characters_of(const qac_composer *from)
{
    characters c = {.model = &from->character, .alphabet = from->alphabet};
    for (uint32_t point = 0; point < 128; point++)
        c.of_ascii[point] = symbol_of(c.model, c.alphabet, point);
    c.space = c.of_ascii[' '];
    return c;
}

double spell(const characters *c, uint32_t *context, const char *text, size_t len)
{
    double p = 1;
    for (size_t i = 0, used; i < len; i += used) {
        const uint32_t symbol = next_symbol(c, text + i, len - i, &used);
        const double known = ngram_step(c->model, context, symbol);
        p *= symbol < c->model->words ? known : OUTSIDE;
    }
    return p > UNLIKELIEST ? p : UNLIKELIEST;
}

word_boundary spell_boundary(const characters *c, uint32_t context)
{
    if (c->model->order == 0)
        return (word_boundary){0, 0};
    const ngram_contexts contexts = ngram_find(c->model, context);
    return (word_boundary){
        .end = ngram_end(c->model, &contexts),
        .space = c->space < c->model->words ? ngram_look_up(c->model, &contexts, c->space).probability : 0,
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

/* Makes a beginning of a word longer by each likely character. */
static void spell_on(speller *s, const characters *c, const spelling *from)
{
    const qac_ngrams *g = c->model;
    const ngram_contexts contexts = ngram_find(g, from->context);
    uint32_t met[SPELLED_CHARACTERS], n = 0;
    double reach = from->probability; /* what the shorter contexts have of it */
    for (uint32_t l = 0; l < contexts.n && reach > LEAST; reach *= ngram_left(g, contexts.of[l++])) {
        uint32_t at, end;
        for (ngram_entries(g, contexts.of[l], &at, &end); at < end; at++) {
            /* What a longer context has is likelier there: below LEAST there, it is here. */
            const double p = reach * ngram_of(g, at);
            const uint32_t symbol = ngram_symbol(g, at);
            if (!(p > LEAST) || symbol >= g->words || symbol == c->space)
                continue;
            uint32_t i = 0;
            while (i < n && met[i] != symbol)
                i++;
            if (i < n || n == SPELLED_CHARACTERS)
                continue;
            met[n++] = symbol;
            spelling *to = push_open(s, p);
            if (!to)
                continue;
            memcpy(to->text, from->text, from->len);
            to->len = from->len + put_code_point(to->text + from->len, c->alphabet[symbol]);
            to->context = ngram_follow(g, from->context, symbol, l == 0 ? at : QAC_NO_ID);
        }
    }
}

void spell_words(speller *s, const characters *c, uint32_t context, const char *partial, size_t len)
{
    s->n = s->n_open = 0;
    if (c->model->order == 0 || len == 0 || len > SPELLED_BYTES)
        return;
    spelling from = {.probability = 1, .context = context, .len = (uint32_t)len};
    memcpy(from.text, partial, len);
    for (uint32_t round = 0; round < ROUNDS && s->n < SPELLED_WORDS; round++) {
        from.behind = spell_boundary(c, from.context);
        if (round == 0 || from.probability * (from.behind.end + from.behind.space) >= LEAST)
            s->word[s->n++] = from;
        if (from.len + 4 <= SPELLED_BYTES)
            spell_on(s, c, &from);
        if (!pop_open(s, &from))
            return;
    }
}

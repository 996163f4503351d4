/* test_compose.c - composed queries against a plain computation of the same mixture, and requests at the limits. */
#include <math.h>

#include "compose.h"
#include "test.h"

enum { MOST = 8, KNOWN = 5, END = 5, OUTSIDE = 7 };

static bool near(double a, double b) { return fabs(a - b) <= 1e-6 * fabs(b); }

/* ---- the mixture, plainly ---- */

typedef struct {
    char word[MOST + 2][32];
    uint32_t n;
} words_of;

static words_of split(const char *text)
{
    words_of w = {.n = 0};
    for (const char *p = text; *p; p += *p == ' ') {
        const size_t len = strcspn(p, " ");
        if (len) {
            memcpy(w.word[w.n], p, len);
            w.word[w.n++][len] = 0;
        }
        p += len;
    }
    return w;
}

static uint32_t symbol_of(const char *word)
{
    for (uint32_t i = 0; i < KNOWN; i++)
        if (strcmp(SAMPLE_WORDS[i], word) == 0)
            return i;
    return OUTSIDE;
}

/* ---- characters ---- */

typedef struct {
    uint32_t symbol[SAMPLE_MOST_SYMBOLS], n;
} symbols_of_text;

static symbols_of_text read_symbols(const qac_composer *c, const char *text, size_t len)
{
    symbols_of_text x = {.n = 0};
    for (size_t i = 0; i < len; i += (unsigned char)text[i] < 0x80 ? 1 : 2) {
        const unsigned char *p = (const unsigned char *)text + i;
        const uint32_t point = *p < 0x80 ? *p : (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
        uint32_t symbol = 0;
        while (symbol < c->character.words && c->alphabet[symbol] != point)
            symbol++;
        x.symbol[x.n++] = symbol < c->character.words ? symbol : symbol + 2;
    }
    return x;
}

/* P(what of the text is behind the first `given` bytes | those). */
static double plain_spelling(const qac_composer *c, const char *text, size_t given)
{
    const symbols_of_text x = read_symbols(c, text, strlen(text));
    double p = 1;
    for (uint32_t i = read_symbols(c, text, given).n; i < x.n; i++)
        p *= x.symbol[i] < c->character.words ? sample_probability(&CHARACTER_NGRAMS, x.symbol, i, x.symbol[i]) : 1e-5;
    return p;
}

/* P(the text is all there is). */
static double plain_end(const qac_composer *c, const char *text)
{
    const symbols_of_text x = read_symbols(c, text, strlen(text));
    return sample_probability(&CHARACTER_NGRAMS, x.symbol, x.n, c->character.words);
}

/* P(a space behind the text). */
static double plain_space(const qac_composer *c, const char *text)
{
    const symbols_of_text x = read_symbols(c, text, strlen(text)), space = read_symbols(c, " ", 1);
    return space.symbol[0] < c->character.words
               ? sample_probability(&CHARACTER_NGRAMS, x.symbol, x.n, space.symbol[0])
               : 0;
}

/* ---- words ---- */

static uint32_t place_of(const words_of *w, uint32_t n, const char *word)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(w->word[i], word) == 0)
            return i;
    return n;
}

/* A session's words, newest query first, each where it was said last. */
typedef struct {
    words_of words;
    uint32_t age[MOST + 2];
    double weight[MOST + 2];
} said;

static said words_said(const qac_composer *c, const char *session)
{
    said s = {.words = {.n = 0}};
    char rest[64];
    snprintf(rest, sizeof rest, "%s", session);
    for (uint32_t age = 0;; age++) {
        char *const end = strrchr(rest, '\n');
        const words_of query = split(end ? end + 1 : rest);
        const double weight = age ? c->older[age - 1] : 1;
        for (uint32_t i = 0; i < query.n && weight > 0; i++)
            if (place_of(&s.words, s.words.n, query.word[i]) == s.words.n) {
                s.age[s.words.n] = age;
                s.weight[s.words.n] = weight;
                strcpy(s.words.word[s.words.n++], query.word[i]);
            }
        if (!end)
            return s;
        *end = 0;
    }
}

/* A request as one reads it: finished words and the unfinished one, which is empty behind a space. */
typedef struct {
    const char *prefix, *partial;
    words_of typed;
    said said;
} asked;

static asked read(const qac_composer *c, const char *prefix, const char *session)
{
    asked q = {
        .prefix = prefix, .partial = strrchr(prefix, ' '), .typed = split(prefix), .said = words_said(c, session)};
    q.partial = q.partial ? q.partial + 1 : prefix;
    q.typed.n -= *q.partial != 0;
    return q;
}

/* P(the text is a word and starts so | it stands where the unfinished word does), or only the latter. */
static double plain_new_word(const qac_composer *c, const asked *q, const char *text, bool whole)
{
    char all[2 * MOST * 32];
    const size_t head = (size_t)(q->partial - q->prefix);
    snprintf(all, sizeof all, "%.*s%s", (int)head, q->prefix, text);
    const double p = plain_spelling(c, all, head);
    return whole ? p * (plain_end(c, all) + plain_space(c, all)) : p;
}

static double plain_ngram(const words_of *query, uint32_t i, uint32_t symbol)
{
    uint32_t before[MOST + 2];
    for (uint32_t j = 0; j < i; j++)
        before[j] = symbol_of(query->word[j]);
    return sample_probability(&WORD_NGRAMS, before, i, symbol);
}

/* What copying and associations give, and the share left for the n-grams. */
typedef struct {
    double copied, associated, left;
} plain_sources;

static plain_sources plain_sources_of(const qac_composer *c, const words_of *query, uint32_t i, const said *s,
                                      const char *word)
{
    const words_of *words = &s->words;
    uint32_t copied = 0, behind = i ? UINT32_MAX : 0;
    bool used[MOST + 2] = {false};
    for (uint32_t j = 0; j < i; j++) {
        const uint32_t place = place_of(words, words->n, query->word[j]);
        behind = place + 1 < words->n && s->age[place + 1] == s->age[place] ? place + 1 : UINT32_MAX;
        if (place < words->n) {
            used[place] = true;
            copied++;
        }
    }
    double all = 0, its = 0, associated = 0, sources = 0;
    for (uint32_t j = 0; j < words->n; j++) {
        const double weight = s->weight[j] * (j == behind ? 3 : 1);
        if (!used[j]) {
            all += weight;
            its += strcmp(words->word[j], word) ? 0 : weight;
        }
        const uint32_t from = symbol_of(words->word[j]);
        if (from >= KNOWN || s->age[j] > 0)
            continue;
        associated += sample_association(from, symbol_of(word));
        for (uint32_t to = 0; to < KNOWN; to++)
            if (sample_association(from, to) > 0) {
                sources++;
                break;
            }
    }
    const double of_state = i == 0        ? c->copy_start
                            : copied == 0 ? c->copy_none
                            : copied < i  ? c->copy_some
                                          : c->copy_all;
    const double copy = all < 1 ? all * of_state : of_state; /* seldom where only older queries have words left */
    const double associate = sources > 0 ? c->associate : 0, going_on = 1 - plain_ngram(query, i, END);
    return (plain_sources){.copied = all > 0 ? going_on * copy * its / all : 0,
                           .associated = sources > 0 ? going_on * associate * associated / sources : 0,
                           .left = 1 - copy - associate};
}

/* P(the i-th word is this one | the words before, the session). */
static double plain_word(const qac_composer *c, const asked *q, const words_of *query, uint32_t i, const char *word)
{
    const plain_sources p = plain_sources_of(c, query, i, &q->said, word);
    const uint32_t symbol = symbol_of(word);
    const double its = symbol < KNOWN ? 1 : plain_new_word(c, q, word, true);
    return p.copied + p.associated + p.left * plain_ngram(query, i, symbol) * its;
}

/* The next word starts as the unfinished one, and is a new one that is not copied. */
static double plain_begins_new(const qac_composer *c, const asked *q)
{
    const uint32_t n = q->typed.n;
    return plain_sources_of(c, &q->typed, n, &q->said, "").left * plain_ngram(&q->typed, n, OUTSIDE) *
           plain_new_word(c, q, q->partial, false);
}

/* The same, and is of the vocabulary or copied. */
static double plain_begins_known(const qac_composer *c, const asked *q)
{
    const uint32_t n = q->typed.n;
    const size_t len = strlen(q->partial);
    double p = 0;
    for (uint32_t i = 0; i < KNOWN; i++)
        if (strncmp(SAMPLE_WORDS[i], q->partial, len) == 0)
            p += plain_word(c, q, &q->typed, n, SAMPLE_WORDS[i]);
    for (uint32_t i = 0; i < q->said.words.n; i++) {
        const char *const word = q->said.words.word[i];
        if (symbol_of(word) >= KNOWN && strncmp(word, q->partial, len) == 0)
            p += plain_sources_of(c, &q->typed, n, &q->said, word).copied;
    }
    return p;
}

/* P([p]): the next word starts as the unfinished one. */
static double plain_begins(const qac_composer *c, const asked *q)
{
    return plain_begins_known(c, q) + plain_begins_new(c, q);
}

/* Are words sought by their characters? Not where a new one is all too unlikely. */
static bool plain_spells(const qac_composer *c, const asked *q)
{
    return *q->partial && plain_begins_new(c, q) > 0.02 * plain_begins_known(c, q);
}

/* Is what was typed to be expected: known words, a known one that starts so, and a chance above 0.01 that the next does? */
static bool plain_expects(const qac_composer *c, const asked *q)
{
    bool known = false;
    for (uint32_t i = 0; i < KNOWN; i++)
        known = known || strncmp(SAMPLE_WORDS[i], q->partial, strlen(q->partial)) == 0;
    for (uint32_t i = 0; i < q->typed.n; i++)
        known = known && symbol_of(q->typed.word[i]) < KNOWN;
    return known && (*q->partial ? plain_begins(c, q) : 1 - plain_ngram(&q->typed, q->typed.n, END)) > 0.01;
}

/* P(w, end) or P(w, more) of the word being typed, the last of `query`. */
static double plain_typed(const qac_composer *c, const asked *q, const words_of *query, bool ends)
{
    const uint32_t i = q->typed.n;
    const char *const word = query->word[i];
    char text[2 * MOST * 32];
    snprintf(text, sizeof text, "%.*s%s", (int)(q->partial - q->prefix), q->prefix, word);
    const double end = plain_ngram(query, i + 1, END), by_words = plain_word(c, q, query, i, word);
    const double by_characters = plain_begins(c, q) * plain_spelling(c, text, strlen(q->prefix)) *
                                 (ends ? plain_end(c, text) : plain_space(c, text));
    return (1 - c->spelling) * by_words * (ends ? end : 1 - end) + c->spelling * by_characters;
}

static uint32_t length_of(const char *text)
{
    uint32_t n = 0;
    for (; *text; text++)
        n += qac_starts_code_point(*text);
    return n;
}

/* P(text | the session), asked with the prefix. */
static double plain_probability(const qac_composer *c, const char *text, const char *prefix, const char *session)
{
    const asked q = read(c, prefix, session);
    const words_of query = split(text);
    double p = 1;
    bool goes_on = false; /* known that the query does not end here */
    for (uint32_t i = 0; i < query.n; i++) {
        if (i == q.typed.n && *q.partial) {
            p *= plain_typed(c, &q, &query, i + 1 == query.n);
            goes_on = true;
            continue;
        }
        p *= plain_word(c, &q, &query, i, query.word[i]) / (goes_on ? 1 - plain_ngram(&query, i, END) : 1);
        goes_on = false;
    }
    return goes_on ? p : p * plain_ngram(&query, query.n, END);
}

static double plain_prefix(const qac_composer *c, const char *prefix, const char *session)
{
    const asked q = read(c, prefix, session);
    double p = *q.partial ? plain_begins(c, &q) : 1 - plain_ngram(&q.typed, q.typed.n, END);
    for (uint32_t i = 0; i < q.typed.n; i++)
        p *= plain_word(c, &q, &q.typed, i, q.typed.word[i]);
    return p;
}

static double plain_score(const qac_composer *c, const char *text, const char *prefix, const char *session)
{
    return plain_probability(c, text, prefix, session) * c->length_scale / pow(length_of(text), c->length_discount);
}

/* ---- the best of all ---- */

enum { BEST = 5 };

typedef struct {
    double score[BEST];
    char text[BEST][64];
} ranking;

static void note(ranking *r, const char *text, double score)
{
    uint32_t at = BEST;
    for (; at > 0 && r->score[at - 1] < score; at--)
        if (at < BEST) {
            r->score[at] = r->score[at - 1];
            strcpy(r->text[at], r->text[at - 1]);
        }
    if (at < BEST) {
        r->score[at] = score;
        strcpy(r->text[at], text);
    }
}

/* All queries of up to `more` further words that start with the prefix, by their scores. */
static void rank_all(const qac_composer *c, const char *text, const char *prefix, const char *session, const words_of *words,
                     int more, ranking *r)
{
    for (uint32_t i = 0; i < words->n; i++) {
        char longer[64];
        snprintf(longer, sizeof longer, "%s%s%s", text, *text ? " " : "", words->word[i]);
        const size_t n = strlen(longer) < strlen(prefix) ? strlen(longer) : strlen(prefix);
        if (memcmp(longer, prefix, n) != 0)
            continue;
        if (n == strlen(prefix))
            note(r, longer, plain_score(c, longer, prefix, session));
        if (more > 1)
            rank_all(c, longer, prefix, session, words, more - 1, r);
    }
}

/* The word being typed: P(w, end) + P(w, more) is all of P(w). Call after compose. */
static void check_typed(const qac_composer *c, compose_scratch *s, const char *prefix, const char *session,
                        const words_of *words)
{
    const asked q = read(c, prefix, session);
    const context x = context_of(&s->r, &s->r.typed);
    double sum = 0;
    for (uint32_t i = 0; i < words->n && *q.partial; i++) {
        if (strncmp(words->word[i], q.partial, strlen(q.partial)) != 0)
            continue;
        words_of query = q.typed;
        strcpy(query.word[query.n++], words->word[i]);
        const double ends = plain_typed(c, &q, &query, true), goes_on = plain_typed(c, &q, &query, false);
        const uint32_t word = word_number(&s->r, words->word[i], strlen(words->word[i]));
        double end = -1;
        const ngram_found by_words = word_probability(&s->r, &s->r.typed, &x, word);
        CHECK(near(typed_probability(&s->r, &x, word, by_words, NULL, &end), ends + goes_on));
        CHECK(c->spelling > 0 ? near(end, ends / (ends + goes_on)) : end == -1);
        sum += ends + goes_on;
    }
    CHECK(sum <= s->r.in_range * (1 + 1e-6));
}

/* Returns how many answers have words that were neither known nor said, but spelled. */
static uint32_t test_best(const qac_composer *c, compose_scratch *s)
{
    uint32_t spelled = 0;
    static const char *const prefixes[] = {"", "a", "ab", "x", "a ", "x a", "a x", "xy ", "z", "zb", "x zb", "xq a", "b"};
    static const char *const sessions[] = {"", "a", "x bcde", "zba x", "b\nx zba", "qqq", "a bcde x",
                                           "zba x\nb\na", "x\nzba a x"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        for (size_t j = 0; j < sizeof sessions / sizeof *sessions; j++) {
            const char *const prefix = prefixes[i], *const session = sessions[j];
            const asked q = read(c, prefix, session);
            const bool spells = plain_spells(c, &q);
            /* What may be said: the vocabulary, the session's words, and what is typed: a new word as it is only where
             * words are spelled. */
            words_of words = {.n = 0}, typed = q.typed;
            const words_of before = q.said.words;
            if (spells)
                strcpy(typed.word[typed.n++], q.partial);
            for (uint32_t w = 0; w < KNOWN + typed.n + before.n; w++) {
                const char *word = w < KNOWN             ? SAMPLE_WORDS[w]
                                   : w - KNOWN < typed.n ? typed.word[w - KNOWN]
                                                         : before.word[w - KNOWN - typed.n];
                if (place_of(&words, words.n, word) == words.n)
                    strcpy(words.word[words.n++], word);
            }
            ranking wanted = {.score = {0}};
            rank_all(c, "", prefix, session, &words, 4, &wanted);
            compose(s, c, prefix, strlen(prefix), session, strlen(session), BEST, 0);
            CHECK(s->n_best <= BEST && (s->speller.n > 0) == spells && compose_expected(s) == plain_expects(c, &q));
            char texts[BEST][64];
            for (uint32_t a = 0; a < s->n_best; a++) {
                char text[64];
                const size_t len = compose_text(s, &s->best[a], text, sizeof text - 1);
                text[len] = 0;
                CHECK(len > 0 && memcmp(text, prefix, strlen(prefix)) == 0);
                CHECK(near(s->best[a].probability, plain_probability(c, text, prefix, session)));
                CHECK(near(s->best[a].score, plain_score(c, text, prefix, session)));
                const composed again = compose_score(s, text, len);
                CHECK(near(again.score, s->best[a].score) && near(again.probability, s->best[a].probability));
                for (uint32_t b = 0; b < a; b++)
                    CHECK(strcmp(texts[b], text) != 0);
                strcpy(texts[a], text);
                const words_of its = split(text);
                uint32_t new = 0;
                for (uint32_t w = 0; w < its.n; w++)
                    new += place_of(&words, words.n, its.word[w]) == words.n;
                CHECK(new <= spells);
                spelled += new;
            }
            /* What has less than four thousandths of the prefix's probability may be missing: most, where all go by
             * characters and no space is known. */
            CHECK(s->n_best == BEST || c->spelling == 1);
            const double negligible = 4e-3 * plain_prefix(c, prefix, session);
            for (uint32_t a = 0; a < BEST; a++) /* what is spelled comes besides those that are compared with */
                CHECK((a < s->n_best && s->best[a].score >= wanted.score[a] * (1 - 1e-6)) ||
                      wanted.score[a] == 0 || plain_probability(c, wanted.text[a], prefix, session) <= negligible);
            check_typed(c, s, prefix, session, &words);
            char longer[64]; /* words of a text that is scored are forgotten */
            const uint32_t n_local = s->r.n_local;
            compose_score(s, longer, (size_t)snprintf(longer, sizeof longer, "%sq zq", prefix));
            CHECK(s->r.n_local == n_local);
            CHECK(near(s->prefix_probability, plain_prefix(c, prefix, session)));
            /* The prefix's probability is at least that of all found. */
            double sum = 0;
            for (uint32_t a = 0; a < s->n_best; a++)
                sum += s->best[a].probability;
            CHECK(sum <= s->prefix_probability * (1 + 1e-6));
            const uint32_t found = s->n_best;
            const double first = found ? s->best[0].score : 0;
            compose(s, c, prefix, strlen(prefix), session, strlen(session), 1, 0);
            CHECK(s->n_best == (found > 0) && (found == 0 || s->best[0].score == first));
        }
    }
    return spelled;
}

/* ---- limits ---- */

/* Asks; every answer starts with the prefix, no two are alike, and scores are probabilities, best first. */
static uint32_t ask_soundly(const qac_model *m, qac_scratch *w, const char *prefix, const char *session, uint32_t k)
{
    const size_t size = (size_t)k * (QAC_MAX_COMPOSED + 1), len = strlen(prefix);
    char *text = allocate(size);
    qac_answer *answers = allocate(k * sizeof *answers);
    uint32_t n;
    CHECK(qac_complete(m, w, prefix, len, session, strlen(session), k, 0, 1, answers, &n, text, size) == QAC_OK);
    CHECK(n <= k);
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += answers[i].score;
        const size_t its = answers[i].end - answers[i].begin;
        const char *at = text + answers[i].begin;
        CHECK(its >= len && memcmp(at, prefix, len) == 0 && its <= QAC_MAX_COMPOSED);
        CHECK(answers[i].score > 0 && answers[i].score <= 1 && (i == 0 || answers[i].score <= answers[i - 1].score));
        CHECK(answers[i].label == qac_find_label(m, at, its));
        for (uint32_t j = 0; j < i; j++)
            CHECK(answers[j].end - answers[j].begin != its || memcmp(text + answers[j].begin, at, its) != 0);
    }
    CHECK(sum <= 1 + 1e-6);
    free(text);
    free(answers);
    return n;
}

/* `n` times a word made of `letter` and a number, of at least `len` bytes each. */
static char *many_words(char letter, uint32_t n, uint32_t len)
{
    char *text = allocate(n * (len + 12) + 1), *p = text;
    for (uint32_t i = 0; i < n; i++) {
        memset(p, letter, len);
        p += len;
        p += sprintf(p, i + 1 < n ? "%u " : "%u", i);
    }
    *p = 0;
    return text;
}

static void test_limits(const qac_model *m, qac_scratch *w)
{
    CHECK(ask_soundly(m, w, "", "", 8) == 8);
    CHECK(ask_soundly(m, w, "", "", QAC_MAX_K) > 8);
    const struct {
        uint32_t words, len;
    } sizes[] = {{8, 55}, {10, 55}, {1, 59}, {1, 60}, {1, 61}, {1, 500}, {1, 511}, {1, 520}, {1, 3000}, {2, 300}, {23, 2},
                 {25, 2},  {30, 40}, {64, 1}, {65, 1}, {70, 3},  {200, 1}, {3000, 4}};
    static const char *const others[] = {"", "x", "a bcde", "zzz 1\nx a"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *text = many_words('z', sizes[i].words, sizes[i].len), *prefix = allocate(strlen(text) + 4);
        const uint32_t found = ask_soundly(m, w, text, "", 5);
        CHECK(found == 0 || strlen(text) <= QAC_MAX_COMPOSED / 2);
        CHECK(found > 0 || sizes[i].words != 8);
        for (size_t j = 0; j < sizeof others / sizeof *others; j++) {
            ask_soundly(m, w, text, others[j], 5);
            sprintf(prefix, "%s ", text);
            ask_soundly(m, w, prefix, others[j], 5);
            sprintf(prefix, "%s x", text);
            ask_soundly(m, w, prefix, others[j], 5);
            CHECK(ask_soundly(m, w, others[j][0] ? "x" : "", text, 5) == 5);
        }
        ask_soundly(m, w, text, text, 5);
        ask_soundly(m, w, "z", text, 50);
        free(text);
        free(prefix);
    }
    char wide[1 + 2 * 300 + 1] = "x";
    for (int i = 0; i < 300; i++)
        memcpy(wide + 1 + 2 * i, "\xC3\xA9", 3);
    ask_soundly(m, w, wide, "", 5);
    ask_soundly(m, w, "x", wide, 5);
    ask_soundly(m, w, "x\xC3", "", 5); /* bytes that are not UTF-8 match nothing and do no harm */
    ask_soundly(m, w, "\xFF \xA9", "\xC3 \xFF", 5);
    ask_soundly(m, w, "  ", " ", 5);
    /* Of a very long query the first words are read. This one's last is too long to come from anywhere else. */
    char *const new = many_words('z', 1, 70), same[2 * 100 + 80];
    for (int i = 0; i < 100; i++)
        memcpy(same + 2 * i, "b ", 2);
    strcpy(same + 200, new);
    CHECK(ask_soundly(m, w, new, same + 2 * 60, 1) == 1 && ask_soundly(m, w, new, same, 1) == 0);
    free(new);
    ask_soundly(m, w, "a  x", "  a   x  ", 5);
}

/* A request leaves nothing behind that the next one could see. */
static void test_reuse(const qac_model *m, qac_scratch *used)
{
    static const char *const prefixes[] = {"", "a", "x ", "zb", "zz zx a"}, *const sessions[] = {"", "x zba", "a bcde"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        for (size_t j = 0; j < sizeof sessions / sizeof *sessions; j++) {
            qac_scratch *fresh;
            qac_answer a[6], b[6];
            uint32_t n_a, n_b;
            CHECK(qac_scratch_new(m, &fresh) == QAC_OK);
            CHECK(ask(m, used, prefixes[i], sessions[j], 6, 0, a, &n_a) == QAC_OK);
            CHECK(ask(m, fresh, prefixes[i], sessions[j], 6, 0, b, &n_b) == QAC_OK);
            CHECK(n_a == n_b);
            for (uint32_t k = 0; k < n_a && k < n_b; k++)
                CHECK(a[k].label == b[k].label && a[k].score == b[k].score && a[k].end == b[k].end);
            qac_scratch_free(fresh);
        }
    }
}

/* What the session asked comes back, known or not; each query stands there once. */
static void test_recalled(void)
{
    sample s = make_composing_sample();
    s.parts.recall[0] = 0.3;
    s.parts.recall[1] = 0.2;
    s.parts.recall[2] = 0.9; /* together more than 1 */
    qac_model *m;
    qac_scratch *w;
    CHECK(qac_model_open(&s.parts, &m) == QAC_OK && qac_scratch_new(m, &w) == QAC_OK);
    static const char *const prefixes[] = {"", "a", "ab", "z", "zz", "zz x", "x", "x zba"};
    static const char *const sessions[] = {"zz x\na", "ab\nabc\nx", "zz\nzz\nzz", "\n\nzz\n", "a\nb\nzz y\nx", "x zba\nx zba\na",
                                           "zz\n\n\n\n\n\n\n\n\nx"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        for (size_t j = 0; j < sizeof sessions / sizeof *sessions; j++)
            for (uint32_t k = 1; k < 40; k += 13)
                ask_soundly(m, w, prefixes[i], sessions[j], k);
    qac_answer answers[3];
    uint32_t n;
    CHECK(ask(m, w, "zz ", "zz qq\nx", 3, 0, answers, &n) == QAC_OK && n >= 1);
    CHECK(answers[0].source == QAC_RECALLED && answers[0].recalled > 0.5 && answers[0].meant == 3);
    char *const long_one = many_words('z', 3, 600); /* longer than any answer */
    char *const session = allocate(strlen(long_one) + 3);
    sprintf(session, "%s\nx", long_one);
    ask_soundly(m, w, "zz", session, 5);
    free(session);
    free(long_one);
    qac_scratch_free(w);
    qac_model_close(m);
    free_sample(&s);
}

/* Without a model of characters nothing is known of a new word but that it may be copied. */
static void test_without_characters(void)
{
    sample s = make_composing_sample();
    s.parts.composer.character = (qac_ngrams){.order = 0};
    qac_model *m;
    qac_scratch *w;
    CHECK(qac_model_open(&s.parts, &m) == QAC_OK && qac_scratch_new(m, &w) == QAC_OK);
    CHECK(ask_soundly(m, w, "zb", "", 5) == 0);
    CHECK(ask_soundly(m, w, "zb", "x zba", 5) == 5);
    CHECK(ask_soundly(m, w, "x", "zba", 5) == 5);
    qac_scratch_free(w);
    qac_model_close(m);
    free_sample(&s);
}

/* No more words are added than there is room for, though the next one is all but certain each time: a after a. */
static void test_most_words(const sample *s, compose_scratch *w)
{
    qac_composer c = s->parts.composer;
    float own_value[256];
    enum { WIDTH = 3 };
    uint8_t next[WIDTH * 32];
    uint8_t probability[32];
    memcpy(own_value, c.word.value, sizeof own_value);
    CHECK(c.word.symbol_bytes == WIDTH);
    memcpy(next, c.word.next, WIDTH * c.word.entries);
    memcpy(probability, c.word.probability, c.word.entries);
    CHECK(c.word.child_end[0] == 3 && next[0] == 1 && next[2 * WIDTH] == END); /* what follows a */
    next[0] = 0;
    for (uint8_t i = 0; i < 3; i++)
        probability[i] = (uint8_t)(253 + i);
    own_value[253] = 0.9f;
    own_value[254] = 0.001f;
    own_value[255] = 0.01f;
    c.word.next = next;
    c.word.probability = probability;
    c.word.value = own_value;
    c.word.order = 2;
    c.word.contexts = c.word.words + 2;
    c.word.n_shorter = 0;
    compose(w, &c, "a", 1, "", 0, 200, 0);
    uint32_t most = 0;
    for (uint32_t i = 0; i < w->n_best; i++) {
        const uint32_t n = w->states[w->best[i].state].n_added;
        most = n > most ? n : most;
    }
    CHECK(most == COMPOSE_WORDS);
}

/* The counter of candidate rounds goes round without a trace. */
static void test_rounds(const qac_composer *c, compose_scratch *s)
{
    compose(s, c, "x", 1, "a", 1, 5, 0);
    const double first = s->best[0].score, last = s->best[4].score;
    s->round = UINT32_MAX - 1;
    for (uint32_t i = 0; i < KNOWN; i++)
        s->seat[i] = 1 + i % 3;
    compose(s, c, "x", 1, "a", 1, 5, 0);
    CHECK(s->round < 1000 && s->n_best == 5 && s->best[0].score == first && s->best[4].score == last);
}

void test_compose(void)
{
    sample s = make_composing_sample();
    qac_model *m;
    qac_scratch *w;
    CHECK(qac_model_open(&s.parts, &m) == QAC_OK && qac_scratch_new(m, &w) == QAC_OK);
    compose_scratch *c = compose_scratch_new(&s.parts.composer);
    static const double discounts[] = {0, 1, 0.5};
    static const double spellings[] = {0, 0.3, 1};
    /* Where no query has a space characters do not know of one. */
    static const uint32_t no_space[] = {'!', 'a', 'b', 'x', 'y', 0xE9};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            qac_composer composer = s.parts.composer;
            composer.length_discount = discounts[i];
            composer.length_scale = i ? 4 : 1;
            composer.spelling = spellings[j];
            c->letters = characters_of(&composer);
            CHECK(test_best(&composer, c) > 0 || composer.spelling == 0);
            composer.alphabet = no_space;
            c->letters = characters_of(&composer);
            CHECK(test_best(&composer, c) > 0 || composer.spelling == 0);
        }
    c->letters = characters_of(&s.parts.composer);
    test_rounds(&s.parts.composer, c);
    test_most_words(&s, c);
    compose_scratch_free(c);
    test_limits(m, w);
    test_reuse(m, w);
    test_without_characters();
    test_recalled();
    qac_scratch_free(w);
    qac_model_close(m);
    free_sample(&s);
}

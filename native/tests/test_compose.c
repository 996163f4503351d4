/* test_compose.c - composed queries against a plain computation of the same mixture, and requests at the limits. */
#include <math.h>

#include "compose.h"
#include "test.h"

enum { MOST = 8, KNOWN = 5, END = 5, START = 6 };

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
    return 99;
}

/* P(symbol | the last n of history); a symbol outside the model gets what the unigrams leave. */
static double plain_ngram(const sample_ngrams *g, const uint32_t *newest_first, uint32_t n, uint32_t symbol)
{
    if (n == 0)
        return symbol <= g->words ? g->unigram[symbol] : g->unknown;
    const double shorter = plain_ngram(g, newest_first, n - 1, symbol);
    for (uint32_t c = 0; c < g->n_contexts; c++) {
        if (g->context[c].n != n || memcmp(g->context[c].history, newest_first, n * sizeof *newest_first) != 0)
            continue;
        double p = g->context[c].backoff * shorter;
        for (uint32_t i = 0; i < g->context[c].n_next; i++)
            p += g->context[c].next[i] == symbol ? g->context[c].weight[i] : 0;
        return p;
    }
    return shorter;
}

/* P(a word outside the vocabulary is spelled so). */
static double plain_spelling(const char *word)
{
    uint32_t history[2] = {START, START};
    double p = 1;
    for (const unsigned char *c = (const unsigned char *)word; *c; c += *c < 0x80 ? 1 : 2) {
        const uint32_t point = *c < 0x80 ? *c : (c[0] & 0x1Fu) << 6 | (c[1] & 0x3Fu);
        uint32_t symbol = KNOWN + 2;
        for (uint32_t i = 0; i < KNOWN; i++)
            if (SAMPLE_ALPHABET[i] == point)
                symbol = i;
        p *= symbol < KNOWN ? plain_ngram(&CHARACTER_NGRAMS, history, 2, symbol) : 1e-5;
        history[1] = history[0];
        history[0] = symbol;
    }
    return p * plain_ngram(&CHARACTER_NGRAMS, history, 2, END);
}

static uint32_t place_of(const words_of *w, uint32_t n, const char *word)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(w->word[i], word) == 0)
            return i;
    return n;
}

/* P(the i-th word, or the end | the words before, the last query). */
static double plain_word(const qac_composer *c, const words_of *query, uint32_t i, const words_of *last)
{
    uint32_t history[2] = {START, START}, copied = 0, behind = 0;
    bool used[MOST + 2] = {false};
    for (uint32_t j = 0; j < i; j++) {
        history[1] = history[0];
        history[0] = symbol_of(query->word[j]);
        const uint32_t place = place_of(last, last->n, query->word[j]);
        behind = place < last->n ? place + 1 : UINT32_MAX;
        if (place < last->n) {
            used[place] = true;
            copied++;
        }
    }
    const double end = plain_ngram(&WORD_NGRAMS, history, 2, END);
    if (i == query->n)
        return end;
    double all = 0, its = 0, associated = 0, sources = 0;
    const uint32_t symbol = symbol_of(query->word[i]);
    for (uint32_t j = 0; j < last->n; j++) {
        if (!used[j]) {
            all += j == behind ? 3 : 1;
            its += strcmp(last->word[j], query->word[i]) ? 0 : j == behind ? 3 : 1;
        }
        const uint32_t from = symbol_of(last->word[j]);
        if (from >= KNOWN)
            continue;
        associated += sample_association(from, symbol);
        for (uint32_t to = 0; to < KNOWN; to++)
            if (sample_association(from, to) > 0) {
                sources++;
                break;
            }
    }
    const double copy = all == 0 ? 0 : i == 0 ? c->copy_start : copied == 0 ? c->copy_none : copied < i ? c->copy_some : c->copy_all;
    const double associate = sources > 0 ? c->associate : 0;
    const double kn = plain_ngram(&WORD_NGRAMS, history, 2, symbol) * (symbol < KNOWN ? 1 : plain_spelling(query->word[i]));
    return (1 - end) * ((all > 0 ? copy * its / all : 0) + (sources > 0 ? associate * associated / sources : 0)) +
           (1 - copy - associate) * kn;
}

static uint32_t length_of(const char *text)
{
    uint32_t n = 0;
    for (; *text; text++)
        n += qac_starts_code_point(*text);
    return n;
}

static double plain_probability(const qac_composer *c, const char *text, const char *last)
{
    const words_of query = split(text), session = split(last);
    double p = 1;
    for (uint32_t i = 0; i <= query.n; i++)
        p *= plain_word(c, &query, i, &session);
    return p;
}

static double plain_score(const qac_composer *c, const char *text, const char *last)
{
    return plain_probability(c, text, last) * c->length_scale / pow(length_of(text), c->length_discount);
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
static void rank_all(const qac_composer *c, const char *text, const char *prefix, const char *last, const words_of *words,
                     int more, ranking *r)
{
    for (uint32_t i = 0; i < words->n; i++) {
        char longer[64];
        snprintf(longer, sizeof longer, "%s%s%s", text, *text ? " " : "", words->word[i]);
        const size_t n = strlen(longer) < strlen(prefix) ? strlen(longer) : strlen(prefix);
        if (memcmp(longer, prefix, n) != 0)
            continue;
        if (n == strlen(prefix))
            note(r, longer, plain_score(c, longer, last));
        if (more > 1)
            rank_all(c, longer, prefix, last, words, more - 1, r);
    }
}

static void test_best(const qac_composer *c, compose_scratch *s)
{
    static const char *const prefixes[] = {"", "a", "ab", "x", "a ", "x a", "a x", "xy ", "z", "zb", "x zb", "xq a", "b"};
    static const char *const sessions[] = {"", "a", "x bcde", "zba x", "b\nx zba", "qqq", "a bcde x"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        for (size_t j = 0; j < sizeof sessions / sizeof *sessions; j++) {
            const char *const prefix = prefixes[i], *const session = sessions[j];
            const char *last = strrchr(session, '\n');
            last = last ? last + 1 : session;
            /* What may be said: the vocabulary, the last query's words, and what is typed. */
            words_of words = {.n = 0};
            const words_of typed = split(prefix), before = split(last);
            for (uint32_t w = 0; w < KNOWN + typed.n + before.n; w++) {
                const char *word = w < KNOWN             ? SAMPLE_WORDS[w]
                                   : w - KNOWN < typed.n ? typed.word[w - KNOWN]
                                                         : before.word[w - KNOWN - typed.n];
                if (place_of(&words, words.n, word) == words.n)
                    strcpy(words.word[words.n++], word);
            }
            ranking wanted = {.score = {0}};
            rank_all(c, "", prefix, last, &words, 4, &wanted);
            compose(s, c, prefix, strlen(prefix), session, strlen(session), BEST, 0);
            CHECK(s->n_best <= BEST);
            for (uint32_t a = 0; a < s->n_best; a++) {
                char text[64];
                const size_t len = compose_text(s, &s->best[a], text, sizeof text - 1);
                text[len] = 0;
                CHECK(len > 0 && memcmp(text, prefix, strlen(prefix)) == 0);
                CHECK(near(s->best[a].probability, plain_probability(c, text, last)));
                CHECK(near(s->best[a].score, plain_score(c, text, last)));
                const composed again = compose_score(s, text, len);
                CHECK(near(again.score, s->best[a].score) && near(again.probability, s->best[a].probability));
                CHECK(s->best[a].score >= wanted.score[a] * (1 - 1e-6));
            }
            CHECK(s->n_best == BEST);
            char longer[64]; /* words of a text that is scored are forgotten */
            const uint32_t n_local = s->n_local;
            compose_score(s, longer, (size_t)snprintf(longer, sizeof longer, "%sq zq", prefix));
            CHECK(s->n_local == n_local);
            /* The prefix's probability is at least that of all found. */
            double sum = 0;
            for (uint32_t a = 0; a < s->n_best; a++)
                sum += s->best[a].probability;
            CHECK(sum <= s->prefix_probability * (1 + 1e-6));
            const double first = s->best[0].score;
            compose(s, c, prefix, strlen(prefix), session, strlen(session), 1, 0);
            CHECK(s->n_best == 1 && s->best[0].score == first);
        }
    }
}

/* ---- limits ---- */

/* Asks; every answer starts with the prefix, no two are alike, and scores are probabilities, best first. */
static uint32_t ask_soundly(const qac_model *m, qac_scratch *w, const char *prefix, const char *session, uint32_t k)
{
    const size_t size = (size_t)k * QAC_MAX_COMPOSED, len = strlen(prefix);
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
    uint32_t next[32];
    float weight[32];
    memcpy(next, c.word.next, c.word.entries * sizeof *next);
    memcpy(weight, c.word.weight, c.word.entries * sizeof *weight);
    const uint32_t entry = c.word.context_end[0]; /* the first of the second context, what follows a */
    CHECK(next[entry] == 1 && next[entry + 2] == END);
    next[entry] = 0;
    weight[entry] = 0.9f;
    weight[entry + 1] = 0;
    weight[entry + 2] = 0.01f;
    c.word.next = next;
    c.word.weight = weight;
    c.word.order = 2;
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
        s->stamp[i] = 1 + i % 3;
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
    for (int i = 0; i < 3; i++) {
        qac_composer composer = s.parts.composer;
        composer.length_discount = discounts[i];
        composer.length_scale = i ? 4 : 1;
        test_best(&composer, c);
    }
    test_rounds(&s.parts.composer, c);
    test_most_words(&s, c);
    compose_scratch_free(c);
    test_limits(m, w);
    test_reuse(m, w);
    test_without_characters();
    qac_scratch_free(w);
    qac_model_close(m);
    free_sample(&s);
}

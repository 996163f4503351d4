/* reuse.c - how often sessions come back to their queries and to the words of these. */
#include "core.h"

typedef struct {
    const uint32_t *word;
    const uint64_t *word_end;
    qac_reuse *out;
    /* [words] the example, from 1, in which a word was last seen: in the next query, in a newer query of the session, in
     * the last query, and there without having been copied yet. */
    uint32_t *asked, *known, *last, *left;
} counter;

static uint64_t first_word(const counter *c, uint32_t query) { return query ? c->word_end[query - 1] : 0; }

static void note(double pair[2], double count, uint32_t came, uint32_t chances)
{
    pair[0] += count * came;
    pair[1] += count * chances;
}

/* Of the words that the query `age` back has and none newer has, how many are asked for again? */
static void count_words(counter *c, uint32_t query, uint32_t age, double count, uint32_t stamp)
{
    uint32_t came = 0, chances = 0;
    for (uint64_t i = first_word(c, query); i < c->word_end[query]; i++) {
        const uint32_t w = c->word[i];
        if (c->known[w] == stamp)
            continue;
        c->known[w] = stamp;
        came += c->asked[w] == stamp;
        chances++;
    }
    note(c->out->words[age], count, came, chances);
}

/* Word by word: is the next one of the last query's that are not there yet? */
static void count_copies(counter *c, uint32_t last, uint32_t next, double count, uint32_t stamp)
{
    uint32_t left = 0, copied = 0;
    for (uint64_t i = first_word(c, last); i < c->word_end[last]; i++) {
        const uint32_t w = c->word[i];
        left += c->last[w] != stamp;
        c->last[w] = c->left[w] = stamp;
    }
    for (uint64_t begin = first_word(c, next), i = begin; i < c->word_end[next]; i++) {
        const uint32_t w = c->word[i];
        const uint64_t n = i - begin;
        const bool is_left = c->left[w] == stamp;
        if (left)
            note(c->out->next[n == 0 ? 0 : copied == 0 ? 1 : copied < n ? 2 : 3], count, is_left, 1);
        copied += c->last[w] == stamp;
        if (is_left) {
            c->left[w] = 0;
            left--;
        }
    }
}

static void count_example(counter *c, const uint32_t *query, uint64_t n, double count, uint32_t stamp)
{
    const uint32_t next = query[n - 1], *last = &query[n - 2];
    for (uint64_t i = first_word(c, next); i < c->word_end[next]; i++)
        c->asked[c->word[i]] = stamp;
    for (uint32_t age = 0; age <= QAC_MAX_AGE && age + 1 < n; age++) {
        const uint32_t q = *(last - age);
        count_words(c, q, age, count, stamp);
        bool newer = false;
        for (uint32_t i = 0; i < age; i++)
            newer |= *(last - i) == q;
        if (age && !newer)
            note(c->out->queries[age], count, q == next, 1);
    }
    count_copies(c, *last, next, count, stamp);
}

int qac_count_reuse(const uint32_t *word, const uint64_t *word_end, uint32_t queries, uint32_t words,
                    const uint32_t *query, const uint64_t *example_end, const double *count, uint32_t examples,
                    qac_reuse *out)
{
    uint32_t *stamps = qac_alloc((uint64_t)words * 4, sizeof *stamps);
    if (!stamps)
        return QAC_ENOMEM;
    memset(stamps, 0, (size_t)words * 4 * sizeof *stamps);
    memset(out, 0, sizeof *out);
    counter c = {word, word_end, out, stamps, stamps + words, stamps + 2 * (size_t)words, stamps + 3 * (size_t)words};
    int status = QAC_OK;
    for (uint64_t i = 0, begin = 0; i < examples && !status; begin = example_end[i++]) {
        const uint64_t n = example_end[i] - begin;
        for (uint64_t j = begin; j < example_end[i]; j++)
            if (query[j] >= queries)
                status = QAC_EINVAL;
        if (!status && n > 1)
            count_example(&c, query + begin, n, count[i], (uint32_t)i + 1);
    }
    free(stamps);
    return status;
}

/* features.c - from texts to sparse TF-IDF vectors. */
#include <math.h>

#include "core.h"

typedef struct {
    term *term; /* [QAC_MAX_TERMS] */
    uint32_t n;
} term_list;

static void add(term_list *list, uint64_t hash, float count, uint32_t kind, size_t begin, size_t end)
{
    if (list->n == QAC_MAX_TERMS || !(count > 0))
        return;
    list->term[list->n++] = (term){hash, count, kind, (uint32_t)begin, (uint32_t)end};
}

/* The words, word pairs and whole of one text, bytes [begin, end) of doc. */
static void add_words(const qac_vectorizer *v, const char *doc, size_t begin, size_t end, float age_factor,
                      term_list *list)
{
    size_t before = 0, before_end = 0;
    uint32_t words = 0;
    for (size_t i = begin; i < end;) {
        while (i < end && doc[i] == ' ')
            i++;
        size_t word = i;
        while (i < end && doc[i] != ' ')
            i++;
        if (word == i)
            break;
        if (v->kinds & QAC_TERM_WORD)
            add(list, qac_hash(doc + word, i - word, QAC_TERM_WORD), v->word_weight * age_factor, QAC_TERM_WORD, word, i);
        if ((v->kinds & QAC_TERM_BIGRAM) && words) {
            /* Hash of the two words' hashes: what stands between them does not matter. */
            uint64_t h = qac_hash(doc + before, before_end - before, QAC_TERM_BIGRAM);
            add(list, qac_hash(doc + word, i - word, h), v->bigram_weight * age_factor, QAC_TERM_BIGRAM, before, i);
        }
        before = word;
        before_end = i;
        words++;
    }
    /* A text of one or two words may already be a term: the word, or the pair. */
    const bool covered = (words == 1 && (v->kinds & QAC_TERM_WORD)) || (words == 2 && (v->kinds & QAC_TERM_BIGRAM));
    if ((v->kinds & QAC_TERM_QUERY) && words && !covered)
        add(list, qac_hash(doc + begin, end - begin, QAC_TERM_QUERY), v->query_weight * age_factor, QAC_TERM_QUERY, begin,
            end);
}

/* Character n-grams over code points. An n-gram at position i (0-based, in code points) counts 1/(i+1)^decay. */
static void add_chars(const qac_vectorizer *v, const char *doc, size_t begin, size_t end, float age_factor,
                      term_list *list)
{
    uint32_t position = 0;
    for (size_t i = begin; i < end && list->n < QAC_MAX_TERMS; position++) {
        float weight = age_factor;
        if (v->position_decay == 1)
            weight /= (float)(position + 1);
        else if (v->position_decay != 0)
            weight *= powf((float)(position + 1), -v->position_decay);
        size_t stop = i;
        for (uint32_t n = 1; n <= v->max_n && stop < end; n++) {
            do
                stop++;
            while (stop < end && !qac_starts_code_point(doc[stop]));
            if (n >= v->min_n)
                add(list, qac_hash(doc + i, stop - i, QAC_TERM_CHARS), weight, QAC_TERM_CHARS, i, stop);
        }
        do
            i++;
        while (i < end && !qac_starts_code_point(doc[i]));
    }
}

static int by_hash(const void *a, const void *b)
{
    const term *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    /* Equal terms stay newest first, so that sums have one order and the newest occurrence is the one kept. */
    return x->begin < y->begin ? 1 : x->begin > y->begin ? -1 : 0;
}

static void sort_and_sum(term_list *list)
{
    if (list->n < 48) { /* a typical request: insertion sort beats qsort's calls */
        for (uint32_t i = 1; i < list->n; i++) {
            term t = list->term[i];
            uint32_t j = i;
            for (; j > 0 && by_hash(&list->term[j - 1], &t) > 0; j--)
                list->term[j] = list->term[j - 1];
            list->term[j] = t;
        }
    } else {
        qsort(list->term, list->n, sizeof(term), by_hash);
    }
    uint32_t out = 0;
    for (uint32_t i = 0; i < list->n; i++) {
        if (out && list->term[out - 1].hash == list->term[i].hash)
            list->term[out - 1].count += list->term[i].count;
        else
            list->term[out++] = list->term[i];
    }
    list->n = out;
}

bool qac_vectorizer_is_valid(const qac_vectorizer *v)
{
    return v->min_n >= 1 && v->max_n >= v->min_n && v->max_n <= 64 && v->history >= 1 && v->age_decay >= 0 &&
           v->age_decay <= 1 && v->position_decay >= 0;
}

static void extract(const qac_vectorizer *v, const char *doc, size_t len, term_list *list)
{
    list->n = 0;
    float age_factor = 1;
    size_t end = len;
    /* Newest first: when a document has too many terms it is the oldest that are left out. */
    for (uint32_t age = 0; age < v->history; age++) {
        size_t begin;
        last_text(doc, end, &begin);
        if (v->kinds & (QAC_TERM_WORD | QAC_TERM_BIGRAM | QAC_TERM_QUERY))
            add_words(v, doc, begin, end, age_factor, list);
        if (v->kinds & QAC_TERM_CHARS)
            add_chars(v, doc, begin, end, age_factor, list);
        if (begin == 0)
            break;
        end = begin - 1;
        age_factor *= v->age_decay;
    }
    sort_and_sum(list);
}

int qac_terms(const qac_vectorizer *v, const char *doc, size_t doc_len, uint64_t *hash, float *count, uint32_t *span,
              uint32_t *n)
{
    if (!qac_vectorizer_is_valid(v) || doc_len > UINT32_MAX)
        return QAC_EINVAL;
    term_list list = {qac_alloc(QAC_MAX_TERMS, sizeof(term)), 0};
    if (!list.term)
        return QAC_ENOMEM;
    extract(v, doc, doc_len, &list);
    for (uint32_t i = 0; i < list.n; i++) {
        hash[i] = list.term[i].hash;
        count[i] = list.term[i].count;
        if (span) {
            span[2 * i] = list.term[i].begin;
            span[2 * i + 1] = list.term[i].end;
        }
    }
    *n = list.n;
    free(list.term);
    return QAC_OK;
}

int qac_terms_batch(const qac_vectorizer *v, const char *text, const uint64_t *doc_end, uint64_t docs, uint64_t *hash,
                    float *count, uint64_t capacity, uint64_t *row_end)
{
    if (!qac_vectorizer_is_valid(v))
        return QAC_EINVAL;
    term_list list = {qac_alloc(QAC_MAX_TERMS, sizeof(term)), 0};
    if (!list.term)
        return QAC_ENOMEM;
    int status = QAC_OK;
    uint64_t at = 0, begin = 0;
    for (uint64_t d = 0; d < docs; begin = doc_end[d++]) {
        if (doc_end[d] < begin || doc_end[d] - begin > UINT32_MAX) {
            status = QAC_EINVAL;
            break;
        }
        extract(v, text + begin, (size_t)(doc_end[d] - begin), &list);
        if (capacity - at < list.n) {
            status = QAC_EINVAL;
            break;
        }
        for (uint32_t i = 0; i < list.n; i++, at++) {
            hash[at] = list.term[i].hash;
            count[at] = list.term[i].count;
        }
        row_end[d] = at;
    }
    free(list.term);
    return status;
}

uint32_t qac_vectorize_in(const qac_vectorizer *v, const qac_vocabulary *vocabulary, const char *doc, size_t len,
                          term *terms, qac_feature *out)
{
    term_list list = {terms, 0};
    extract(v, doc, len, &list);
    uint32_t n = 0;
    double square = 0;
    for (uint32_t i = 0; i < list.n; i++) { /* hashes ascend, and ids like them */
        const uint32_t id = qac_keys_find(&vocabulary->keys, terms[i].hash);
        if (id == QAC_NO_ID)
            continue;
        const float value = terms[i].count * vocabulary->idf_value[vocabulary->idf[id]];
        if (n && out[n - 1].id == id) /* two terms that count as one */
            out[n - 1].value += value;
        else
            out[n++] = (qac_feature){id, value, terms[i].kind, terms[i].begin, terms[i].end};
    }
    for (uint32_t i = 0; i < n; i++)
        square += (double)out[i].value * out[i].value;
    const float factor = square > 0 ? (float)(1 / sqrt(square)) : 0;
    for (uint32_t i = 0; i < n; i++)
        out[i].value *= factor;
    return n;
}

int qac_vectorize(const qac_vectorizer *v, const qac_vocabulary *vocabulary, const char *doc, size_t doc_len,
                  qac_feature *out, uint32_t *n)
{
    if (!qac_vectorizer_is_valid(v) || doc_len > UINT32_MAX)
        return QAC_EINVAL;
    term *terms = qac_alloc(QAC_MAX_TERMS, sizeof *terms);
    if (!terms)
        return QAC_ENOMEM;
    *n = qac_vectorize_in(v, vocabulary, doc, doc_len, terms, out);
    free(terms);
    return QAC_OK;
}

int qac_vectorize_batch(const qac_vectorizer *v, const qac_vocabulary *vocabulary, const char *text,
                        const uint64_t *doc_end, uint64_t docs, uint32_t *id, float *value, uint64_t capacity,
                        uint64_t *row_end)
{
    if (!qac_vectorizer_is_valid(v))
        return QAC_EINVAL;
    term *terms = qac_alloc(QAC_MAX_TERMS, sizeof *terms);
    qac_feature *features = qac_alloc(QAC_MAX_TERMS, sizeof *features);
    int status = terms && features ? QAC_OK : QAC_ENOMEM;
    uint64_t at = 0, begin = 0;
    for (uint64_t d = 0; !status && d < docs; begin = doc_end[d++]) {
        if (doc_end[d] < begin || doc_end[d] - begin > UINT32_MAX) {
            status = QAC_EINVAL;
            break;
        }
        const uint32_t n = qac_vectorize_in(v, vocabulary, text + begin, (size_t)(doc_end[d] - begin), terms, features);
        if (capacity - at < n) {
            status = QAC_EINVAL;
            break;
        }
        for (uint32_t i = 0; i < n; i++, at++) {
            id[at] = features[i].id;
            value[at] = features[i].value;
        }
        row_end[d] = at;
    }
    free(terms);
    free(features);
    return status;
}

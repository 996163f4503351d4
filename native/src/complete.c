/* complete.c - one request: the tree's answers, the composer's, those of the session, and those to a prefix with a typing
 * error.
 *
 * Tree and composer give probabilities of whole queries, so their mixture does too. With k = 1 for new queries and, for
 * known ones, how likely the next query is not a new one (LEAST_KNOWN below):
 *
 *     M(q)            =  share * k * P_composer(q | session)  +  (1 - share) * P_tree(q | session)
 *
 * The prefix selects among all q. A prefix that the tree finds likely and the composer does not leaves the tree the word,
 * and the other way round: how much either counts follows from the prefix, without a rule.
 *
 * A session comes back to what it asked before its last query: to the one that came a queries before with the chance r(a),
 * learned from the log. All else shares the rest:
 *
 *     P(q | session)  =  sum of r(a) where q came a before the last  +  (1 - sum of all r) * M(q)
 *
 * Where few known queries start with the prefix, another one may have been meant. Then the tree's answers to each
 * reading are in it too (a noisy channel: Kernighan, Church and Gale 1990), times P(typed | meant), and times share /
 * P(new query): to the composer what is typed is new, and its share is no chance. No correction stands above a known
 * query that starts with the prefix.
 */
#include "compose.h"
#include "correct.h"
#include "search.h"

#include <math.h>

enum {
    GATHERED = 10, /* fewest candidates taken from each side: the first answers do not depend on how many are asked for */
    FEW = 3        /* known queries for a prefix: with fewer, another one may have been meant */
};

/* Readings of a smaller share of the probability are left out: where known queries start with the prefix, another must be
 * far likelier to have been meant. */
static const double LEAST_READING = 1e-3;

/* The composer knows the log's queries by heart, made again or not: its scores of them count by how likely the next query is
 * not a new one. At least so much: a list that names each query once looks like a log in which none is made twice. */
static const double LEAST_KNOWN = 0.1;

static const double MOST_RECALLED = 0.95; /* there is always something else, whatever a file says */

/* What may be answered, and the probability of all that the prefix may have been meant to begin. */
typedef struct {
    mixed *list;
    uint32_t n;
    double mass;
} answers_found;

/* Best first; equal ones by their source, then in the order of labels. */
static int by_score(const void *a, const void *b)
{
    const mixed *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    return (x->composed > y->composed) - (x->composed < y->composed);
}

static int write_answer(qac_answer *answer, const mixed *x, const char *from, size_t len, char *text, size_t text_size,
                        size_t *at)
{
    if (text_size - *at < len || *at + len > UINT32_MAX)
        return QAC_EINVAL;
    memcpy(text + *at, from, len);
    *answer = (qac_answer){.label = x->label,
                           .begin = (uint32_t)*at,
                           .end = (uint32_t)(*at + len),
                           .source = x->source,
                           .meant = x->meant < len ? x->meant : (uint32_t)len,
                           .score = x->score,
                           .composed = x->by_composer,
                           .recalled = x->by_recall};
    *at += len;
    return QAC_OK;
}

static mixed make_mixed(double by_tree, double by_composer, uint32_t label, uint32_t composed, size_t prefix_len)
{
    const double score = by_tree + by_composer;
    mixed x = {.label = label, .composed = composed, .meant = (uint32_t)prefix_len};
    x.source = label == QAC_NO_ID ? QAC_COMPOSED : QAC_INDEX;
    if (score >= 0) { /* else not a number: only in a damaged file */
        x.score = score;
        x.by_composer = by_composer;
    }
    return x;
}

typedef struct {
    const char *text;
    size_t len;
} query;

/* Reads the session's queries, the last one first, into out; returns how many. */
static uint32_t read_queries(const char *session, size_t session_len, query out[QAC_MAX_AGE + 1])
{
    uint32_t n = 0;
    for (size_t begin = session_len + 1; begin > 0 && n <= QAC_MAX_AGE; n++) {
        const size_t len = last_text(session, begin - 1, &begin);
        out[n] = (query){session + begin, len};
    }
    return n;
}

static bool is_same(query a, query b) { return a.len == b.len && memcmp(a.text, b.text, a.len) == 0; }

/* Mixes the tree's answers, of which `in_tree` is the prefix's probability times the tree's share, and the composer's. */
static int mix(search *q, qac_scratch *s, size_t prefix_len, const query *asked, uint32_t n_asked, double in_tree,
               answers_found *found)
{
    const qac_composer *c = &q->m->parts.composer;
    compose_scratch *cs = s->compose;
    const bool indexed = q->lo < q->hi;
    char buffer[QAC_MAX_LABEL];
    mixed *out = found->list;
    uint32_t *n = &found->n;
    double probability = 0, scored = 0; /* of all that is found, by the composer alone */
    const double share_of_known = c->share * fmax(LEAST_KNOWN, 1 - c->new_query);
    for (uint32_t i = 0; i < s->n_top; i++) {
        const int len = qac_label_decode(&q->m->strings, s->top[i].label, buffer);
        if (len < 0)
            return QAC_ECORRUPT;
        const composed its = compose_score(cs, buffer, (size_t)len);
        probability += its.probability;
        scored += share_of_known * its.score;
        const double factor = share_of_known * (s->top[i].label == q->repeated ? q->m->parts.repeat_weight : 1);
        out[(*n)++] = make_mixed(in_tree * s->top[i].score, factor * its.score, s->top[i].label, 0, prefix_len);
    }
    const uint32_t n_tree = *n;
    for (uint32_t i = 0; i < cs->n_best; i++) {
        const composed *best = &cs->best[i];
        const size_t len = compose_text(cs, best, buffer, QAC_MAX_COMPOSED);
        if (len == 0)
            continue;
        const uint32_t label = indexed ? qac_find_label(q->m, buffer, len) : QAC_NO_ID;
        const double score = (label == QAC_NO_ID ? c->share : share_of_known) * best->score;
        double by_composer = score, by_tree = 0;
        if (n_asked && is_same((query){buffer, len}, asked[0]))
            by_composer *= q->m->parts.repeat_weight;
        if (label != QAC_NO_ID) {
            bool has = false;
            for (uint32_t j = 0; j < n_tree && !has; j++)
                has = out[j].label == label;
            if (has)
                continue;
            by_tree = in_tree * search_label_probability(q, label);
        }
        probability += best->probability;
        scored += score;
        out[(*n)++] = make_mixed(by_tree, by_composer, label, i, prefix_len);
    }
    found->mass = in_tree;
    /* The composer's part of the prefix, in the same measure as what was found. */
    if (probability > 0) /* the quotient first: all may be tiny */
        found->mass += cs->prefix_probability * (scored / probability);
    return QAC_OK;
}

/* Text of an answer; returns its length, 0 or less when it has none. */
static int answer_text(const qac_model *m, const qac_scratch *s, const query *asked, const mixed *x, char *out)
{
    if (x->label != QAC_NO_ID)
        return qac_label_decode(&m->strings, x->label, out);
    if (x->source == QAC_COMPOSED)
        return (int)compose_text(s->compose, &s->compose->best[x->composed], out, QAC_MAX_COMPOSED);
    memcpy(out, asked[x->composed].text, asked[x->composed].len);
    return (int)asked[x->composed].len;
}

/* The answer with this label or, where it has none, this text. */
static mixed *find_answer(const search *q, const query *asked, const answers_found *found, uint32_t label, query its)
{
    char buffer[QAC_MAX_LABEL];
    for (uint32_t i = 0; i < found->n; i++) {
        mixed *x = &found->list[i];
        if (x->label != label)
            continue;
        if (label != QAC_NO_ID)
            return x;
        const int len = answer_text(q->m, q->s, asked, x, buffer);
        if (len > 0 && is_same((query){buffer, (size_t)len}, its))
            return x;
    }
    return NULL;
}

/* Adds the queries asked before the last one; returns the factor on all else. unit: as much as all queries of the log have together, in the measure of the
 * answers found; in_tree: what the labels in range have. */
static double recall(search *q, const char *prefix, size_t prefix_len, const query *asked, uint32_t n_asked, bool composing,
                   double unit, double in_tree, answers_found *found)
{
    const qac_parts *p = &q->m->parts;
    double chance[QAC_MAX_AGE + 1], all = 0;
    for (uint32_t age = 1; age < n_asked; age++) {
        uint32_t newer = 0;
        while (newer < age && !is_same(asked[newer], asked[age]))
            newer++;
        all += chance[age] = newer == age ? p->recall[age - 1] : 0;
    }
    const double rest = all < MOST_RECALLED ? 1 - all : 1 - MOST_RECALLED;
    for (uint32_t i = 0; i < found->n; i++) {
        found->list[i].score *= rest;
        found->list[i].by_composer *= rest;
    }
    found->mass *= rest;
    for (uint32_t age = 1; age < n_asked; age++) {
        const query its = asked[age];
        if (chance[age] == 0 || its.len < prefix_len || memcmp(its.text, prefix, prefix_len) != 0)
            continue;
        const uint32_t label = qac_find_label(q->m, its.text, its.len);
        if (label == QAC_NO_ID && (!composing || its.len == 0 || its.len > QAC_MAX_COMPOSED))
            continue;
        /* Lengths are discounted as everywhere. */
        const double discount = label == QAC_NO_ID ? discounted(&p->composer, 1, code_points(its.text, its.len))
                                                   : label_weight(&q->label_mass, label) / p->count[label];
        const double by_recall = unit * chance[age] * discount;
        if (!(by_recall > 0 && isfinite(by_recall))) /* only in a damaged file */
            continue;
        mixed *x = find_answer(q, asked, found, label, its);
        if (!x) {
            const double by_tree = label == QAC_NO_ID ? 0 : rest * in_tree * search_label_probability(q, label);
            x = &found->list[found->n++];
            *x = make_mixed(by_tree, 0, label, age, prefix_len);
        }
        if (label == QAC_NO_ID && by_recall > x->score) { /* more recalled than composed, if composed at all */
            x->source = QAC_RECALLED;
            x->composed = age;
        }
        x->score += by_recall;
        x->by_recall += by_recall;
        found->mass += by_recall;
    }
    return rest;
}

/* Puts x among the best k, of which there are n so far, unless its label is there with a higher score. */
static void keep_best(mixed *best, uint32_t *n, uint32_t k, mixed x)
{
    uint32_t at = 0;
    while (at < *n && best[at].label != x.label)
        at++;
    if (at == *n && *n < k) {
        ++*n;
    } else {
        at -= at == *n;
        if (by_score(&best[at], &x) <= 0)
            return;
    }
    for (; at > 0 && by_score(&best[at - 1], &x) > 0; at--)
        best[at] = best[at - 1];
    best[at] = x;
}

/* What reading r adds to the probability: of labels that another reading's range has too, the likelier reading counts. */
static double added_mass(const reading *readings, uint32_t n, uint32_t r)
{
    const reading *x = &readings[r];
    double other = 0;
    for (uint32_t i = 0; i < n; i++) {
        const reading *y = &readings[i];
        const bool is_wider = y->lo <= x->lo && y->hi >= x->hi && (y->hi - y->lo > x->hi - x->lo || i < r);
        if (is_wider && y->likelihood > other)
            other = y->likelihood;
    }
    return other < x->likelihood ? x->mass * (1 - other / x->likelihood) : 0;
}

/* Adds the best k answers to the readings that are none to the prefix as it is. unit: probability of a label's weight. */
static int correct(search *q, const reading *readings, uint32_t n_readings, uint32_t k, uint32_t beam, double unit,
                   answers_found *found)
{
    const uint32_t lo = q->lo, hi = q->hi, wanted = k + (hi - lo) < QAC_MAX_K ? k + (hi - lo) : QAC_MAX_K;
    mixed *const best = found->list + found->n;
    uint32_t n = 0;
    double least_exact = 1, all = 0;
    for (uint32_t i = 0; i < found->n; i++)
        if (found->list[i].source == QAC_INDEX && found->list[i].score < least_exact)
            least_exact = found->list[i].score;
    for (uint32_t r = 0; r < n_readings; r++)
        all += unit * added_mass(readings, n_readings, r);
    for (uint32_t r = 0; r < n_readings; r++) {
        const double mass = unit * readings[r].mass; /* what its labels score together */
        if (mass < LEAST_READING * (found->mass + all) || (n == k && mass <= best[k - 1].score))
            continue;
        search_range(q, readings[r].lo, readings[r].hi);
        const int status = search_best(q, wanted, beam);
        if (status)
            return status;
        const double in_range = unit * readings[r].likelihood * q->s->range_mass;
        for (uint32_t i = 0; i < q->s->n_top; i++) {
            const candidate *c = &q->s->top[i];
            if (c->label < lo || c->label >= hi)
                keep_best(best, &n, k,
                          (mixed){.score = in_range * c->score, .source = QAC_CORRECTED, .label = c->label,
                                  .meant = readings[r].len});
        }
    }
    /* What is typed is believed: no correction is likelier than a known query that starts with it. */
    const double factor = n && best[0].score > least_exact ? least_exact / best[0].score : 1;
    for (uint32_t i = 0; i < n; i++)
        best[i].score = fmin(best[i].score * factor, least_exact);
    found->mass += factor * all;
    found->n += n;
    return QAC_OK;
}

static double part_of(double part, double whole) { return part > 0 && whole > 0 ? fmin(part / whole, 1) : 0; }

/* Leaves the best k, their scores shares of all and their parts shares of their scores. Composed ones below `least` go, unless there is no other. */
static void choose(answers_found *found, uint32_t k, double least)
{
    const double all = found->mass;
    uint32_t kept = 0;
    mixed *list = found->list;
    qsort(list, found->n, sizeof *list, by_score);
    for (uint32_t i = 0; i < found->n && kept < k; i++) {
        if (list[i].source == QAC_COMPOSED && list[i].score < least && kept > 0)
            continue;
        mixed x = list[i];
        x.by_composer = part_of(x.by_composer, x.score);
        x.by_recall = part_of(x.by_recall, x.score);
        x.score = all > 0 && x.score < all ? x.score / all : all > 0;
        list[kept++] = x;
    }
    found->n = kept;
}

/* Finds the answers, best first. */
static int answer(const qac_model *m, qac_scratch *s, const char *prefix, size_t prefix_len, const char *session,
                  size_t session_len, const query *asked, uint32_t n_asked, uint32_t k, uint32_t beam, uint32_t options,
                  answers_found *found)
{
    const qac_composer *c = &m->parts.composer;
    const bool mixing = is_mixing(m, options);
    const uint32_t fewest = mixing ? GATHERED : FEW, gathered = k < fewest ? fewest : k;
    const double root_mass = m->parts.tree.node[0].mass;
    search q;
    uint32_t lo, hi;
    const bool popular = is_popular(m, session_len, options);
    int status = search_start(&q, m, s, prefix, prefix_len, session, session_len, popular);
    if (status)
        return status;
    qac_prefix_range(m, prefix, prefix_len, &lo, &hi);
    search_range(&q, lo, hi);
    status = search_best(&q, gathered, beam);
    if (status)
        return status;
    const double in_range = s->range_mass / root_mass; /* P_tree(prefix) without the session */
    double unit = s->range_mass > 0 ? 1 / s->range_mass : 1 / root_mass;
    if (mixing) {
        /* With the session the mixture is no better, and a request a fifth slower. */
        unit = (1 - c->share) / root_mass;
        const double in_tree = (1 - c->share) * in_range;
        /* What scores less than the tree's last answer cannot come in; half of it, as a label may get the rest from the
         * tree. */
        const double floor =
            s->n_top == gathered ? 0.5 * in_tree * s->top[gathered - 1].score / c->share : 0;
        compose(s->compose, c, prefix, prefix_len, session, session_len, gathered, floor);
        status = mix(&q, s, prefix_len, asked, n_asked, in_tree, found);
    } else {
        for (; found->n < s->n_top; found->n++)
            found->list[found->n] = make_mixed(s->top[found->n].score, 0, s->top[found->n].label, 0, prefix_len);
        found->mass = lo < hi;
    }
    if (!status && !popular && !q.hinge)
        unit *= recall(&q, prefix, prefix_len, asked, n_asked, mixing, mixing ? 1 : in_range > 0 ? 1 / in_range : 0,
                       mixing ? (1 - c->share) * in_range : 1, found);
    /* Corrections do not count against the composed: both may be what was meant. */
    const double least = c->least * found->mass;
    const uint32_t few = popular ? 1 : FEW; /* the most popular completions are only these, if there are any */
    const bool expected = mixing && compose_expected(s->compose);
    if (!status && options & QAC_CORRECT && !q.hinge && hi - lo < few && unit > 0 && !expected) {
        reading readings[CORRECT_MOST];
        const uint32_t n = correct_prefix(&m->strings, &q.label_mass, prefix, prefix_len, lo, hi, readings);
        /* The composer's share is made for ranking and says too little, or too much, of how likely the prefix is that of a
         * new query. Corrections are held against that likelihood: they are scaled by as much. */
        if (mixing)
            unit *= c->share / c->new_query;
        status = correct(&q, readings, n, gathered, beam, unit, found);
    }
    choose(found, k, least);
    return status;
}

int qac_complete(const qac_model *m, qac_scratch *s, const char *prefix, size_t prefix_len, const char *session,
                 size_t session_len, uint32_t k, uint32_t beam, uint32_t options, qac_answer *answers, uint32_t *n,
                 char *text, size_t text_size)
{
    *n = 0;
    if (k < 1 || k > QAC_MAX_K || options & ~(uint32_t)(QAC_COMPOSE | QAC_CORRECT) || prefix_len > UINT32_MAX)
        return QAC_EINVAL;
    answers_found found = {.list = s->mixed};
    query asked[QAC_MAX_AGE + 1]; /* the last query first */
    const uint32_t n_asked = session_len ? read_queries(session, session_len, asked) : 0;
    int status = answer(m, s, prefix, prefix_len, session, session_len, asked, n_asked, k, beam, options, &found);
    size_t at = 0;
    char buffer[QAC_MAX_LABEL];
    for (uint32_t i = 0; i < found.n && !status; i++) {
        const mixed *x = &found.list[i];
        const int len = answer_text(m, s, asked, x, buffer);
        status = len < 0 ? QAC_ECORRUPT : write_answer(&answers[*n], x, buffer, (size_t)len, text, text_size, &at);
        *n += status == QAC_OK;
    }
    return status;
}

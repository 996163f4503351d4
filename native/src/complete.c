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

/* One request, and what may be answered. */
typedef struct {
    const qac_model *m;
    qac_scratch *s;
    slice prefix, session;
    slice asked[QAC_MAX_AGE + 1]; /* the session's queries, the last one first */
    uint32_t n_asked;
    uint32_t gathered; /* candidates wanted of each side */
    uint32_t beam;
    search q;
    uint32_t lo, hi;   /* labels that start with the prefix */
    mixed *list;
    uint32_t n;
    double mass;       /* probability of all that the prefix may have been meant to begin */
} completion;

/* Best first; equal ones by their source, then in the order of labels. */
static int by_score(const mixed *x, const mixed *y)
{
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

/* Shell's sort with Ciura's gaps: in place, where the C library's may allocate; quick with what is nearly sorted. */
static void sort_by_score(mixed *list, uint32_t n)
{
    static const uint32_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++) {
        const uint32_t gap = gaps[g];
        for (uint32_t i = gap; i < n; i++) {
            if (by_score(&list[i - gap], &list[i]) <= 0)
                continue;
            const mixed x = list[i];
            uint32_t at = i;
            for (; at >= gap && by_score(&list[at - gap], &x) > 0; at -= gap)
                list[at] = list[at - gap];
            list[at] = x;
        }
    }
}

/* ---- texts of answers ---- */

static slice text_of(const qac_scratch *s, const mixed *x) { return (slice){s->text + x->begin, x->len}; }

/* Room for one more text. */
static int reserve_text(qac_scratch *s)
{
    if (s->text_capacity - s->text_len >= QAC_MAX_LABEL)
        return QAC_OK;
    const size_t capacity = 2 * s->text_capacity;
    char *p = QAC_REALLOC(s->text, capacity);
    if (!p)
        return QAC_ENOMEM;
    s->text = p;
    s->text_capacity = capacity;
    return QAC_OK;
}

/* The text that was written behind the others is that of x. */
static void take_text(qac_scratch *s, mixed *x, size_t len)
{
    x->begin = (uint32_t)s->text_len;
    x->len = (uint32_t)len;
    s->text_len += len;
}

/* Reads the text of a label's answer, if that is not done yet. */
static int read_label(const qac_model *m, qac_scratch *s, mixed *x)
{
    if (x->begin != QAC_NO_ID)
        return QAC_OK;
    const int status = reserve_text(s);
    if (status)
        return status;
    const int len = qac_label_decode(&m->strings, x->label, s->text + s->text_len);
    if (len < 0)
        return QAC_ECORRUPT;
    take_text(s, x, (size_t)len);
    return QAC_OK;
}

static int write_answer(qac_answer *answer, const mixed *x, slice from, char *text, size_t text_size, size_t *at)
{
    if (text_size - *at <= from.len || *at + from.len >= UINT32_MAX)
        return QAC_EINVAL;
    memcpy(text + *at, from.text, from.len);
    text[*at + from.len] = '\n';
    *answer = (qac_answer){.label = x->label,
                           .begin = (uint32_t)*at,
                           .end = (uint32_t)(*at + from.len),
                           .source = x->source,
                           .meant = x->meant < from.len ? x->meant : (uint32_t)from.len,
                           .score = x->score,
                           .composed = x->by_composer,
                           .recalled = x->by_recall};
    *at += from.len + 1;
    return QAC_OK;
}

/* ---- tree and composer ---- */

static mixed make_mixed(const completion *r, uint32_t label, uint32_t rank)
{
    return (mixed){.source = label == QAC_NO_ID ? QAC_COMPOSED : QAC_INDEX,
                   .label = label,
                   .begin = QAC_NO_ID,
                   .rank = rank,
                   .meant = (uint32_t)r->prefix.len};
}

static void set_score(mixed *x, double by_tree, double by_composer)
{
    const double score = by_tree + by_composer;
    if (score >= 0) { /* else not a number: only in a damaged file */
        x->score = score;
        x->by_composer = by_composer;
    }
}

/* Reads the session's queries, the last one first. */
static void read_queries(completion *r)
{
    for (size_t begin = r->session.len + 1; begin > 0 && r->n_asked <= QAC_MAX_AGE; r->n_asked++) {
        const size_t len = last_text(r->session.text, begin - 1, &begin);
        r->asked[r->n_asked] = (slice){r->session.text + begin, len};
    }
}

static mixed *answer_of_label(const completion *r, uint32_t label)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (r->list[i].label == label)
            return &r->list[i];
    return NULL;
}

/* The label that a text is, which starts with the prefix. */
static uint32_t label_of(const completion *r, slice text)
{
    return qac_label_find(&r->m->strings, text.text, text.len, r->lo, r->hi);
}

/* What the composer's scores count: of known queries, or of new ones. */
static double composer_share(const qac_composer *c, bool known)
{
    return c->share * (known ? fmax(LEAST_KNOWN, 1 - c->new_query) : 1);
}

/* Mixes the tree's answers, of which `in_tree` is the prefix's probability times the tree's share, and the composer's. */
static int mix(completion *r, double in_tree)
{
    const qac_composer *c = &r->m->parts.composer;
    qac_scratch *s = r->s;
    compose_scratch *cs = s->compose;
    const double share_of_known = composer_share(c, true);
    double probability = 0, scored = 0; /* of all that is found, by the composer alone */
    for (uint32_t i = 0; i < s->n_top; i++) {
        mixed *x = &r->list[r->n++];
        *x = make_mixed(r, s->top[i].label, 0);
        const int status = read_label(r->m, s, x);
        if (status)
            return status;
        const slice text = text_of(s, x);
        const composed its = compose_score(cs, text.text, text.len);
        probability += its.probability;
        scored += share_of_known * its.score;
        const double factor = share_of_known * (x->label == r->q.repeated ? r->m->parts.repeat_weight : 1);
        set_score(x, in_tree * s->top[i].score, factor * its.score);
    }
    for (uint32_t i = 0; i < cs->n_best; i++) {
        const composed *best = &cs->best[i];
        const int status = reserve_text(s);
        if (status)
            return status;
        const slice text = {s->text + s->text_len, compose_text(cs, best, s->text + s->text_len, QAC_MAX_COMPOSED)};
        if (text.len == 0)
            continue;
        const uint32_t label = label_of(r, text);
        if (label != QAC_NO_ID && answer_of_label(r, label))
            continue;
        const double score = composer_share(c, label != QAC_NO_ID) * best->score;
        const double factor = r->n_asked && is_same(text, r->asked[0]) ? r->m->parts.repeat_weight : 1;
        mixed *x = &r->list[r->n++];
        *x = make_mixed(r, label, i);
        take_text(s, x, text.len);
        set_score(x, label == QAC_NO_ID ? 0 : in_tree * search_label_probability(&r->q, label), factor * score);
        probability += best->probability;
        scored += score;
    }
    r->mass = in_tree;
    /* The composer's part of the prefix, in the same measure as what was found. */
    if (probability > 0) /* the quotient first: all may be tiny */
        r->mass += cs->prefix_probability * (scored / probability);
    return QAC_OK;
}

/* ---- the session ---- */

/* The composed answer with this text, or NULL. */
static mixed *answer_of_text(const completion *r, slice text)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (r->list[i].label == QAC_NO_ID && is_same(text_of(r->s, &r->list[i]), text))
            return &r->list[i];
    return NULL;
}

/* Adds the queries asked before the last one; sets the factor on all else. unit: as much as all queries of the log have
 * together, in the measure of the answers found; in_tree: what the labels in range have. */
static int recall(completion *r, bool composing, double unit, double in_tree, double *rest)
{
    const qac_parts *p = &r->m->parts;
    double chance[QAC_MAX_AGE + 1], all = 0;
    for (uint32_t age = 1; age < r->n_asked; age++) {
        uint32_t newer = 0;
        while (newer < age && !is_same(r->asked[newer], r->asked[age]))
            newer++;
        all += chance[age] = newer == age ? p->recall[age - 1] : 0;
    }
    *rest = all < MOST_RECALLED ? 1 - all : 1 - MOST_RECALLED;
    for (uint32_t i = 0; i < r->n; i++) {
        r->list[i].score *= *rest;
        r->list[i].by_composer *= *rest;
    }
    r->mass *= *rest;
    for (uint32_t age = 1; age < r->n_asked; age++) {
        const slice its = r->asked[age];
        if (chance[age] == 0 || !starts_with(its, r->prefix))
            continue;
        const uint32_t label = label_of(r, its);
        if (label == QAC_NO_ID && (!composing || its.len == 0 || its.len > QAC_MAX_COMPOSED))
            continue;
        /* Lengths are discounted as everywhere. */
        const double discount = label == QAC_NO_ID ? discounted(&p->composer, 1, code_points(its.text, its.len))
                                                   : label_weight(&r->q.label_mass, label) / p->count[label];
        const double by_recall = unit * chance[age] * discount;
        if (!(by_recall > 0 && isfinite(by_recall))) /* only in a damaged file */
            continue;
        mixed *x = label == QAC_NO_ID ? answer_of_text(r, its) : answer_of_label(r, label);
        if (!x) {
            const int status = reserve_text(r->s);
            if (status)
                return status;
            x = &r->list[r->n++];
            *x = make_mixed(r, label, age);
            memcpy(r->s->text + r->s->text_len, its.text, its.len);
            take_text(r->s, x, its.len);
            const double by_tree = label == QAC_NO_ID ? 0 : in_tree * search_label_probability(&r->q, label);
            double by_composer = 0;
            if (composing)
                by_composer = composer_share(&p->composer, label != QAC_NO_ID) *
                              compose_score(r->s->compose, its.text, its.len).score;
            set_score(x, *rest * by_tree, *rest * by_composer);
        }
        if (label == QAC_NO_ID && by_recall > x->score) { /* more recalled than composed, if composed at all */
            x->source = QAC_RECALLED;
            x->rank = age;
        }
        x->score += by_recall;
        x->by_recall += by_recall;
        r->mass += by_recall;
    }
    return QAC_OK;
}

/* ---- typing errors ---- */

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

/* Adds the best answers to the readings that are none to the prefix as it is. unit: probability of a label's weight. */
static int correct(completion *r, const reading *readings, uint32_t n_readings, double unit)
{
    const uint32_t in_range = r->hi - r->lo, k = r->gathered, wanted = k + in_range < QAC_MAX_K ? k + in_range : QAC_MAX_K;
    mixed *const best = r->list + r->n;
    uint32_t n = 0;
    double least_exact = 1, all = 0;
    for (uint32_t i = 0; i < r->n; i++)
        if (r->list[i].source == QAC_INDEX && r->list[i].score < least_exact)
            least_exact = r->list[i].score;
    for (uint32_t i = 0; i < n_readings; i++)
        all += unit * added_mass(readings, n_readings, i);
    for (uint32_t i = 0; i < n_readings; i++) {
        const double mass = unit * readings[i].mass; /* what its labels score together */
        if (mass < LEAST_READING * (r->mass + all) || (n == k && mass <= best[k - 1].score))
            continue;
        search_range(&r->q, readings[i].lo, readings[i].hi);
        const int status = search_best(&r->q, wanted, r->beam);
        if (status)
            return status;
        const double of_labels = unit * readings[i].likelihood * r->s->range_mass;
        for (uint32_t j = 0; j < r->s->n_top; j++) {
            const candidate *c = &r->s->top[j];
            if (c->label >= r->lo && c->label < r->hi)
                continue;
            mixed x = make_mixed(r, c->label, 0);
            x.source = QAC_CORRECTED;
            x.score = of_labels * c->score;
            x.meant = readings[i].len;
            keep_best(best, &n, k, x);
        }
    }
    /* What is typed is believed: no correction is likelier than a known query that starts with it. */
    const double factor = n && best[0].score > least_exact ? least_exact / best[0].score : 1;
    for (uint32_t i = 0; i < n; i++)
        best[i].score = fmin(best[i].score * factor, least_exact);
    r->mass += factor * all;
    r->n += n;
    return QAC_OK;
}

/* ---- all together ---- */

static double part_of(double part, double whole) { return part > 0 && whole > 0 ? fmin(part / whole, 1) : 0; }

/* Leaves the best k, their scores shares of all and their parts shares of their scores. Composed ones below `least` go,
 * unless there is no other. */
static void choose(completion *r, uint32_t k, double least)
{
    const double all = r->mass;
    uint32_t kept = 0;
    mixed *list = r->list;
    sort_by_score(list, r->n);
    for (uint32_t i = 0; i < r->n && kept < k; i++) {
        if (list[i].source == QAC_COMPOSED && list[i].score < least && kept > 0)
            continue;
        mixed x = list[i];
        x.by_composer = part_of(x.by_composer, x.score);
        x.by_recall = part_of(x.by_recall, x.score);
        x.score = all > 0 && x.score < all ? x.score / all : all > 0;
        list[kept++] = x;
    }
    r->n = kept;
}

/* Finds the answers, best first. */
static int answer(completion *r, uint32_t k, uint32_t options)
{
    const qac_model *m = r->m;
    const qac_composer *c = &m->parts.composer;
    qac_scratch *s = r->s;
    const slice prefix = r->prefix, session = r->session;
    const bool mixing = is_mixing(m, options), popular = is_popular(m, session.len, options);
    const uint32_t fewest = mixing ? GATHERED : FEW;
    const double root_mass = m->parts.tree.node[0].mass;
    r->gathered = k < fewest ? fewest : k;
    int status = search_start(&r->q, m, s, prefix.text, prefix.len, session.text, session.len, popular);
    if (status)
        return status;
    qac_prefix_range(m, prefix.text, prefix.len, &r->lo, &r->hi);
    search_range(&r->q, r->lo, r->hi);
    status = search_best(&r->q, r->gathered, r->beam);
    if (status)
        return status;
    const double in_range = s->range_mass / root_mass; /* P_tree(prefix) without the session */
    double unit = s->range_mass > 0 ? 1 / s->range_mass : 1 / root_mass;
    if (mixing) {
        /* With the session the mixture is no better, and a request a fifth slower. */
        unit = (1 - c->share) / root_mass;
        const double in_tree = (1 - c->share) * in_range;
        /* What scores less than the tree's last answer cannot come in; but for a label, which may get the rest from the
         * tree: so seldom that it is not waited for. */
        const double floor = s->n_top == r->gathered ? in_tree * s->top[r->gathered - 1].score / c->share : 0;
        compose(s->compose, c, prefix.text, prefix.len, session.text, session.len, r->gathered, floor);
        status = mix(r, in_tree);
    } else {
        for (; r->n < s->n_top; r->n++) {
            r->list[r->n] = make_mixed(r, s->top[r->n].label, 0);
            set_score(&r->list[r->n], s->top[r->n].score, 0);
        }
        r->mass = r->lo < r->hi;
    }
    if (!status && !popular && !r->q.hinge) {
        const double all = mixing ? 1 : in_range > 0 ? 1 / in_range : 0;
        double rest;
        status = recall(r, mixing, all, mixing ? (1 - c->share) * in_range : 1, &rest);
        unit *= rest;
    }
    /* Corrections do not count against the composed: both may be what was meant. */
    const double least = c->least * r->mass;
    /* Models have no composer where nearly nothing is new: a known query that starts so is what was meant then. The most
     * popular completions are only these, if there are any. */
    const uint32_t few = popular || c->word.order == 0 ? 1 : FEW;
    const bool expected = mixing && compose_expected(s->compose);
    /* Corrections weigh by counts, which say nothing beside what a hinge or a search that filters found. */
    const bool comparable = !r->q.hinge && !r->q.filters && unit > 0;
    if (!status && options & QAC_CORRECT && comparable && r->hi - r->lo < few && !expected) {
        reading readings[CORRECT_MOST];
        const uint32_t n =
            correct_prefix(&m->strings, &r->q.label_mass, prefix.text, prefix.len, r->lo, r->hi, readings);
        /* The composer's share is made for ranking and says too little, or too much, of how likely the prefix is that of a
         * new query. Corrections are held against that likelihood: they are scaled by as much. */
        if (mixing)
            unit *= c->share / c->new_query;
        status = correct(r, readings, n, unit);
    }
    choose(r, k, least);
    return status;
}

int qac_is_normal(const char *text, size_t len, int whole)
{
    bool is_behind_space = true, is_normal = true; /* no space at the start */
    for (size_t i = 0; i < len; i++) {
        const uint8_t c = (uint8_t)text[i];
        const bool is_space = c == ' ' || (whole && c == '\n'), is_upper = c >= 'A' && c <= 'Z';
        is_normal &= is_space ? !is_behind_space : c > ' ' && c < 0x7F && !is_upper;
        is_behind_space = is_space;
    }
    return is_normal && !(whole && len && is_behind_space);
}

int qac_complete(const qac_model *m, qac_scratch *s, const char *prefix, size_t prefix_len, const char *session,
                 size_t session_len, uint32_t k, uint32_t beam, uint32_t options, qac_answer *answers, uint32_t *n,
                 char *text, size_t text_size)
{
    *n = 0;
    const uint32_t known = QAC_COMPOSE | QAC_CORRECT | QAC_AS_TYPED;
    if (k < 1 || k > QAC_MAX_K || options & ~known || prefix_len > UINT32_MAX)
        return QAC_EINVAL;
    if (options & QAC_AS_TYPED && !(qac_is_normal(prefix, prefix_len, 0) && qac_is_normal(session, session_len, 1)))
        return QAC_EFORM;
    completion r = {.m = m, .s = s, .prefix = {prefix, prefix_len}, .session = {session, session_len}, .beam = beam,
                    .list = s->mixed};
    s->text_len = 0;
    if (session_len)
        read_queries(&r);
    int status = answer(&r, k, options);
    size_t at = 0;
    for (uint32_t i = 0; i < r.n && !status; i++) {
        mixed *x = &r.list[i];
        status = read_label(m, s, x);
        if (!status)
            status = write_answer(&answers[*n], x, text_of(s, x), text, text_size, &at);
        *n += status == QAC_OK;
    }
    if (status)
        *n = 0;
    return status;
}

int qac_complete_batch(const qac_model *m, qac_scratch *s, const char *texts, const uint64_t *end, uint64_t requests,
                       uint32_t k, uint32_t beam, uint32_t options, qac_answer *answers, uint32_t *n, char *text,
                       size_t text_size, uint64_t *done)
{
    const size_t longest = (size_t)QAC_MAX_LABEL + QAC_MAX_COMPOSED; /* more than any answer takes */
    size_t used = 0;
    for (*done = 0; *done < requests; ++*done) {
        const uint64_t i = *done, begin = i ? end[2 * i - 1] : 0, middle = end[2 * i];
        if (middle < begin || end[2 * i + 1] < middle)
            return QAC_EINVAL;
        /* What has room for the longest answers has room for these; else the caller makes some. */
        if (i > 0 && (text_size - used) / k < longest)
            return QAC_OK;
        qac_answer *its = answers + i * k;
        const int status = qac_complete(m, s, texts + begin, (size_t)(middle - begin), texts + middle,
                                        (size_t)(end[2 * i + 1] - middle), k, beam, options, its, &n[i], text + used,
                                        text_size - used);
        if (status)
            return status;
        const size_t bytes = n[i] ? its[n[i] - 1].end + (size_t)1 : 0;
        for (uint32_t a = 0; a < n[i]; a++) {
            its[a].begin += (uint32_t)used;
            its[a].end += (uint32_t)used;
        }
        used += bytes;
    }
    return QAC_OK;
}

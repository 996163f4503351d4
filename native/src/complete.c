/* complete.c - one request: the tree's answers, the composer's, or both.
 *
 * Both give probabilities of whole queries, so their mixture does too:
 *
 *     P(q | session)  =  share * P_composer(q | session)  +  (1 - share) * P_tree(q | session)
 *
 * The prefix selects among all q. A prefix that the tree finds likely and the composer does not leaves the tree the word,
 * and the other way round: how much either counts follows from the prefix, without a rule.
 */
#include "compose.h"
#include "search.h"

/* Fewest candidates taken from tree and composer: the first answers do not depend on how many are asked for. */
enum { GATHERED = 10 };

/* Best first; equal ones in the order of labels, composed ones behind. */
static int by_score(const void *a, const void *b)
{
    const mixed *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
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
    *answer = (qac_answer){x->label, (uint32_t)*at, (uint32_t)(*at + len), x->score, x->share};
    *at += len;
    return QAC_OK;
}

static mixed make_mixed(double by_tree, double by_composer, uint32_t label, uint32_t composed)
{
    const double score = by_tree + by_composer;
    if (!(score >= 0)) /* not a number: only in a damaged file */
        return (mixed){0, 0, label, composed};
    return (mixed){score, score > 0 ? by_composer / score : 0, label, composed};
}

/* Mixes the tree's answers, of which `in_tree` is the prefix's probability times the tree's share, and the composer's. */
static int mix(search *q, qac_scratch *s, const char *session, size_t session_len, uint32_t k, double in_tree, mixed *out,
               uint32_t *n)
{
    const qac_composer *c = &q->m->parts.composer;
    compose_scratch *cs = s->compose;
    const bool indexed = q->lo < q->hi;
    char buffer[QAC_MAX_LABEL];
    double all = in_tree, found = 0, discounted = 0;
    *n = 0;
    for (uint32_t i = 0; i < s->n_top; i++) {
        const int len = qac_label_decode(&q->m->strings, s->top[i].label, buffer);
        if (len < 0)
            return QAC_ECORRUPT;
        const composed its = compose_score(cs, buffer, (size_t)len);
        found += its.probability;
        discounted += its.score;
        const double factor = s->top[i].label == q->repeated ? c->share * q->m->parts.repeat_weight : c->share;
        out[(*n)++] = make_mixed(in_tree * s->top[i].score, factor * its.score, s->top[i].label, 0);
    }
    const uint32_t n_tree = *n;
    size_t last;
    const size_t last_len = last_text(session, session_len, &last);
    for (uint32_t i = 0; i < cs->n_best; i++) {
        const composed *best = &cs->best[i];
        const size_t len = compose_text(cs, best, buffer, QAC_MAX_COMPOSED);
        if (len == 0)
            continue;
        const uint32_t label = indexed ? qac_find_label(q->m, buffer, len) : QAC_NO_ID;
        double by_composer = c->share * best->score, by_tree = 0;
        if (last_len && len == last_len && memcmp(buffer, session + last, len) == 0)
            by_composer *= q->m->parts.repeat_weight;
        if (label != QAC_NO_ID) {
            bool has = false;
            for (uint32_t j = 0; j < n_tree && !has; j++)
                has = out[j].label == label;
            if (has)
                continue;
            by_tree = in_tree * search_label_probability(q, label);
        }
        found += best->probability;
        discounted += best->score;
        out[(*n)++] = make_mixed(by_tree, by_composer, label, i);
    }
    /* The composer's share of the prefix, in the same measure: lengths discounted as in what was found. */
    if (found > 0)
        all += c->share * cs->prefix_probability * (discounted / found); /* the quotient first: all may be tiny */
    qsort(out, *n, sizeof *out, by_score);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *n && kept < k; i++) {
        out[i].score = all > 0 && out[i].score < all ? out[i].score / all : all > 0;
        if (out[i].label != QAC_NO_ID || out[i].score >= c->least || kept == 0)
            out[kept++] = out[i];
    }
    *n = kept;
    return QAC_OK;
}

int qac_complete(const qac_model *m, qac_scratch *s, const char *prefix, size_t prefix_len, const char *session,
                 size_t session_len, uint32_t k, uint32_t beam, int composing, qac_answer *answers, uint32_t *n,
                 char *text, size_t text_size)
{
    *n = 0;
    if (k < 1 || k > QAC_MAX_K)
        return QAC_EINVAL;
    const bool mixing = is_mixing(m, composing);
    search q;
    int status =
        search_start(&q, m, s, prefix, prefix_len, session, session_len, is_popular(m, session_len, composing));
    const uint32_t gathered = mixing && k < GATHERED ? GATHERED : k;
    if (!status)
        status = search_best(&q, gathered, beam);
    if (status)
        return status;
    mixed *all = s->mixed;
    uint32_t count = 0;
    if (mixing) {
        const qac_composer *c = &m->parts.composer;
        /* P_tree(prefix) is taken without the session: with it the mixture is no better, and a request a fifth slower. */
        const double in_tree = q.lo < q.hi ? (1 - c->share) * s->range_mass / m->parts.tree.node[0].mass : 0;
        /* What scores less than the tree's last answer cannot come in; half of it, as a label may get the rest from the
         * tree. */
        const double floor =
            s->n_top == gathered ? 0.5 * in_tree * s->top[gathered - 1].score / c->share : 0;
        compose(s->compose, c, prefix, prefix_len, session, session_len, gathered, floor);
        status = mix(&q, s, session, session_len, k, in_tree, all, &count);
    } else {
        for (; count < s->n_top; count++)
            all[count] = (mixed){s->top[count].score, 0, s->top[count].label, 0};
    }
    size_t at = 0;
    char buffer[QAC_MAX_LABEL];
    for (uint32_t i = 0; i < count && !status; i++) {
        int len;
        if (all[i].label == QAC_NO_ID)
            len = (int)compose_text(s->compose, &s->compose->best[all[i].composed], buffer, QAC_MAX_COMPOSED);
        else
            len = qac_label_decode(&m->strings, all[i].label, buffer);
        status = len < 0 ? QAC_ECORRUPT
                         : write_answer(&answers[*n], &all[i], buffer, (size_t)len, text, text_size, &at);
        *n += status == QAC_OK;
    }
    return status;
}

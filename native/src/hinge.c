/* hinge.c - one-vs-rest linear support vector machines at one node, by dual coordinate descent.
 *
 * For each child c apart, minimised over w is
 *
 *     l2/2 |w|^2  +  sum over sessions of cost * max(0, 1 - y w.x)^2
 *
 * where y is 1 and the cost `positive_cost` for sessions that c followed, -1 and `negative_cost` for the node's others.
 * How often c followed does not count. The dual, one variable a >= 0 a session with w = sum of y a x, is solved one
 * variable at a time in random order; variables that look settled at 0 are left out until the others are done
 * (shrinking). Hsieh et al., "A dual coordinate descent method for large-scale linear SVM", ICML 2008, algorithm 3, as in
 * LIBLINEAR and PECOS: there C = 1 / l2.
 */
#include <math.h>

#include "train.h"

typedef struct {
    double *w;       /* [features] */
    double *dual;    /* [sessions] */
    double *length;  /* [sessions] |x|^2 */
    uint32_t *order; /* [sessions] those not shrunk away come first */
    int8_t *y;       /* [sessions] */
} problem;

/* A weight worth keeping, until all children are done. */
typedef struct {
    uint32_t feature, child;
    double weight;
} kept_weight;

/* xorshift64* (Vigna 2016): the order must be the same everywhere, its quality hardly matters. */
static uint32_t random_below(uint64_t *state, uint32_t n)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)(((*state * 0x2545F4914F6CDD1DULL) >> 32) * n >> 32);
}

static void shuffle(uint32_t *a, uint32_t n, uint64_t *state)
{
    for (uint32_t i = n; i > 1; i--) {
        const uint32_t j = random_below(state, i), x = a[i - 1];
        a[i - 1] = a[j];
        a[j] = x;
    }
}

static uint64_t first_feature(const node_problem *p, uint32_t session) { return session ? p->x_end[session - 1] : 0; }

static double product(const node_problem *p, uint32_t session, const double *w)
{
    double sum = 0;
    for (uint64_t j = first_feature(p, session); j < p->x_end[session]; j++)
        sum += w[p->x_feature[j]] * p->x_value[j];
    return sum;
}

static double cost_of(const qac_training *t, int8_t y) { return y > 0 ? t->positive_cost : t->negative_cost; }

/* Leaves the solution in s->w. */
static int solve(const node_problem *p, const qac_training *t, problem *s, const qac_progress *progress,
                 uint64_t *passes)
{
    uint64_t state = 0x9e3779b97f4a7c15ULL;
    uint32_t active = p->sessions;
    double bound = HUGE_VAL; /* dual variables at 0 with a larger gradient are shrunk away */
    memset(s->w, 0, p->features * sizeof *s->w);
    memset(s->dual, 0, p->sessions * sizeof *s->dual);
    for (uint32_t i = 0; i < p->sessions; i++)
        s->order[i] = i;
    for (uint32_t pass = 0; pass < t->max_passes; pass++) {
        if (is_cancelled(progress))
            return QAC_ECANCELLED;
        double most = -HUGE_VAL, least = HUGE_VAL; /* of the projected gradient */
        shuffle(s->order, active, &state);
        for (uint32_t at = 0; at < active; at++) {
            const uint32_t i = s->order[at];
            const double diagonal = t->l2 / (2 * cost_of(t, s->y[i])), before = s->dual[i];
            const double gradient = s->y[i] * product(p, i, s->w) - 1 + before * diagonal;
            if (before == 0 && gradient > bound) {
                s->order[at--] = s->order[--active];
                s->order[active] = i;
                continue;
            }
            const double projected = before == 0 && gradient > 0 ? 0 : gradient;
            most = projected > most ? projected : most;
            least = projected < least ? projected : least;
            if (fabs(projected) <= 1e-12)
                continue;
            const double after = before - gradient / (s->length[i] + diagonal);
            s->dual[i] = after > 0 ? after : 0;
            const double step = (s->dual[i] - before) * s->y[i];
            for (uint64_t j = first_feature(p, i); j < p->x_end[i]; j++)
                s->w[p->x_feature[j]] += step * p->x_value[j];
        }
        ++*passes;
        if (most - least <= t->tolerance) {
            if (active == p->sessions)
                break;
            active = p->sessions; /* was it right to leave the others out? */
            bound = HUGE_VAL;
        } else {
            bound = most > 0 ? most : HUGE_VAL;
        }
    }
    return QAC_OK;
}

static double loss_of(const node_problem *p, const qac_training *t, const problem *s)
{
    double loss = 0;
    for (uint32_t i = 0; i < p->sessions; i++) {
        const double slack = 1 - s->y[i] * product(p, i, s->w);
        loss += slack > 0 ? cost_of(t, s->y[i]) * slack * slack : 0;
    }
    return loss;
}

/* Lists the sessions that each child followed: those of child c are sessions[end[c-1] .. end[c]). */
static void by_child(const node_problem *p, uint64_t *end, uint32_t *sessions)
{
    const uint64_t n = p->y_end[p->sessions - 1];
    memset(end, 0, (p->children + 1) * sizeof *end);
    for (uint64_t j = 0; j < n; j++)
        end[p->y_child[j] + 1]++;
    for (uint32_t c = 0; c < p->children; c++)
        end[c + 1] += end[c];
    for (uint32_t i = 0; i < p->sessions; i++)
        for (uint64_t j = i ? p->y_end[i - 1] : 0; j < p->y_end[i]; j++)
            sessions[end[p->y_child[j]]++] = i;
}

/* Sorts what was kept, child by child, into rows of features. */
static int arrange(const node_problem *p, const kept_weight *kept, uint64_t n, solver_space *space, node_weights *out)
{
    uint64_t *end = buffer_need(&space->end, p->features + 1u, sizeof *end);
    uint32_t *child = buffer_need(&space->child, n, sizeof *child);
    double *weight = buffer_need(&space->weight, n, sizeof *weight);
    if (!end || !child || !weight)
        return QAC_ENOMEM;
    memset(end, 0, (p->features + 1u) * sizeof *end);
    for (uint64_t i = 0; i < n; i++)
        end[kept[i].feature + 1]++;
    for (uint32_t f = 0; f < p->features; f++)
        end[f + 1] += end[f];
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t at = end[kept[i].feature]++; /* where the feature's next one goes: in the end, its end */
        child[at] = kept[i].child;
        weight[at] = kept[i].weight;
    }
    *out = (node_weights){end, child, weight};
    return QAC_OK;
}

int fit_hinge(const node_problem *p, const qac_training *t, solver_space *space, const qac_progress *progress,
              uint64_t *passes, node_weights *out, double loss[2])
{
    const uint64_t n = p->sessions, followed = p->y_end[n - 1];
    const uint64_t size = (p->features + 2 * n) * sizeof(double) + (p->children + 1) * sizeof(uint64_t) +
                          (n + followed) * sizeof(uint32_t) + n;
    double *base = buffer_need(&space->work, size, 1);
    if (!base)
        return QAC_ENOMEM;
    problem s = {.w = base, .dual = base + p->features, .length = base + p->features + n};
    uint64_t *end = (uint64_t *)(s.length + n);
    uint32_t *sessions = (uint32_t *)(end + p->children + 1);
    s.order = sessions + followed;
    s.y = (int8_t *)(s.order + n);
    by_child(p, end, sessions);
    memset(s.y, -1, n);
    for (uint32_t i = 0; i < n; i++) {
        s.length[i] = 0;
        for (uint64_t j = first_feature(p, i); j < p->x_end[i]; j++)
            s.length[i] += (double)p->x_value[j] * p->x_value[j];
    }
    loss[0] = loss[1] = 0;
    uint64_t n_kept = 0;
    for (uint32_t c = 0; c < p->children; c++) {
        const uint64_t begin = c ? end[c - 1] : 0;
        for (uint64_t j = begin; j < end[c]; j++)
            s.y[sessions[j]] = 1;
        const int status = solve(p, t, &s, progress, passes);
        if (status)
            return status;
        loss[0] += (double)(end[c] - begin) * t->positive_cost + (double)(n - (end[c] - begin)) * t->negative_cost;
        loss[1] += loss_of(p, t, &s);
        for (uint64_t j = begin; j < end[c]; j++)
            s.y[sessions[j]] = -1;
        kept_weight *kept = buffer_grow(&space->kept, n_kept + p->features, sizeof *kept);
        if (!kept)
            return QAC_ENOMEM;
        for (uint32_t f = 0; f < p->features; f++)
            if (s.w[f] != 0 && fabs(s.w[f]) >= t->prune)
                kept[n_kept++] = (kept_weight){f, c, s.w[f]};
    }
    return arrange(p, space->kept.data, n_kept, space, out);
}

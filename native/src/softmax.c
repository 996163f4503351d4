/* softmax.c - multinomial logistic regression at one node, by L-BFGS.
 *
 * For a session x, child c has probability p_c = mass_c exp(w_c.x) / sum. Minimised is
 *
 *     - sum over examples of weight * log p_child  +  l2/2 |w|^2
 *
 * Weights exist only for slots, so most children of a wide node keep exp(0) and are never touched: what they add to the
 * sum is the node's total mass less that of the children that some feature of the session touches.
 *
 * The objective is smooth and strictly convex: the result depends on the tolerance, not on the path. L-BFGS: Nocedal,
 * "Updating quasi-Newton matrices with limited storage", 1980; initial metric: an estimate of the Hessian's diagonal,
 * which levels out frequent and rare features, scaled by what the last step showed of the curvature (Liu and Nocedal, "On
 * the limited memory BFGS method for large scale optimization", 1989, section 4), so that a full step is mostly right.
 * The steps that are remembered need not be exact: they are kept in single precision, which halves what is read.
 */
#include <math.h>

#include "train.h"

enum { MEMORY = 6 };

typedef struct {
    double *z;           /* [children] w_c.x of touched children; 0 of others */
    uint32_t *touched;   /* [children + 1] */
    uint8_t *is_touched; /* [children] */
} scratch;

/* Loss (without penalty) at w; gradient (without penalty) into g. */
static double evaluate(const node_problem *p, const double *w, double *g, scratch *s)
{
    double loss = 0;
    memset(g, 0, p->slots * sizeof(double));
    for (uint32_t i = 0; i < p->sessions; i++) {
        const uint64_t x0 = i ? p->x_end[i - 1] : 0, x1 = p->x_end[i];
        const uint64_t y0 = i ? p->y_end[i - 1] : 0, y1 = p->y_end[i];
        uint32_t n = 0;
        for (uint64_t j = x0; j < x1; j++) {
            const uint32_t f = p->x_feature[j];
            const double x = p->x_value[j];
            for (uint64_t k = f ? p->slot_end[f - 1] : 0; k < p->slot_end[f]; k++) {
                const uint32_t c = p->slot_child[k];
                s->touched[n] = c; /* no branch: whether it was touched before cannot be guessed */
                n += !s->is_touched[c];
                s->is_touched[c] = 1;
                s->z[c] += w[k] * x;
            }
        }
        double weight = 0, sum = 0, untouched = p->total_mass, top = 0;
        for (uint64_t j = y0; j < y1; j++) { /* every target is touched: its pairs are slots */
            weight += p->y_weight[j];
            loss -= p->y_weight[j] * s->z[p->y_child[j]];
        }
        for (uint32_t j = 0; j < n; j++)
            top = s->z[s->touched[j]] > top ? s->z[s->touched[j]] : top;
        for (uint32_t j = 0; j < n; j++) { /* times exp(-top): a step of the search for w may go far too far */
            const uint32_t c = s->touched[j];
            const double e = p->mass[c] * qac_exp(s->z[c] - top);
            sum += e;
            untouched -= p->mass[c];
            s->z[c] = e;
        }
        /* What is left of a difference of large masses may be rounding alone; it is no less than the smallest mass. */
        if (n < p->children)
            sum += (untouched > p->least_mass ? untouched : p->least_mass) * qac_exp(-top);
        loss += weight * (log(sum) + top);
        for (uint32_t j = 0; j < n; j++)
            s->z[s->touched[j]] *= weight / sum;
        for (uint64_t j = y0; j < y1; j++)
            s->z[p->y_child[j]] -= p->y_weight[j];
        for (uint64_t j = x0; j < x1; j++) {
            const uint32_t f = p->x_feature[j];
            const double x = p->x_value[j];
            for (uint64_t k = f ? p->slot_end[f - 1] : 0; k < p->slot_end[f]; k++)
                g[k] += x * s->z[p->slot_child[k]];
        }
        for (uint32_t j = 0; j < n; j++) {
            s->z[s->touched[j]] = 0;
            s->is_touched[s->touched[j]] = 0;
        }
    }
    return loss;
}

/* The initial metric: for slot k of feature f and child c, the inverse of  l2 + sum of weight x^2 * q (1 - q), where q is
 * halfway from the child's share of the mass to its share of what followed f: from where p starts to where it tends. With
 * the start alone, a child of small mass would be thrown far beyond its optimum.
 * g: the gradient at w = 0, sum of x (weight * share - y). by_feature: work space, 2 * features. */
static void inverse_diagonal(const node_problem *p, double l2, const double *g, double *by_feature, double *d)
{
    double *wx = by_feature, *wxx = by_feature + p->features;
    memset(by_feature, 0, 2 * (size_t)p->features * sizeof(double));
    for (uint32_t i = 0; i < p->sessions; i++) {
        double weight = 0;
        for (uint64_t j = i ? p->y_end[i - 1] : 0; j < p->y_end[i]; j++)
            weight += p->y_weight[j];
        for (uint64_t j = i ? p->x_end[i - 1] : 0; j < p->x_end[i]; j++) {
            wx[p->x_feature[j]] += weight * p->x_value[j];
            wxx[p->x_feature[j]] += weight * p->x_value[j] * p->x_value[j];
        }
    }
    for (uint32_t f = 0; f < p->features; f++)
        for (uint64_t k = f ? p->slot_end[f - 1] : 0; k < p->slot_end[f]; k++) {
            const double share = p->mass[p->slot_child[k]] / p->total_mass;
            double followed = wx[f] > 0 ? share - g[k] / wx[f] : share;
            followed = followed < 0 ? 0 : followed > 1 ? 1 : followed;
            const double q = 0.5 * (share + followed);
            d[k] = 1 / (l2 + wxx[f] * q * (1 - q));
        }
}

/* Sums in four parts, so that the compiler may keep them in one register without reordering anything. */
#define SUM_OF_PRODUCTS(a, b, n)                                                                                       \
    double s[4] = {0, 0, 0, 0};                                                                                        \
    uint64_t i = 0;                                                                                                    \
    for (; i + 4 <= (n); i += 4)                                                                                       \
        for (int j = 0; j < 4; j++)                                                                                    \
            s[j] += (double)(a)[i + j] * (b)[i + j];                                                                   \
    for (; i < (n); i++)                                                                                               \
        s[0] += (double)(a)[i] * (b)[i];                                                                               \
    return (s[0] + s[1]) + (s[2] + s[3])

static double dot(const double *a, const double *b, uint64_t n) { SUM_OF_PRODUCTS(a, b, n); }

static double remembered_dot(const float *a, const double *b, uint64_t n) { SUM_OF_PRODUCTS(a, b, n); }

/* The last steps and what they did to the gradient. */
typedef struct {
    float *step, *change; /* [MEMORY][n] */
    double rho[MEMORY];   /* 1 / step.change */
    double scale;         /* of the initial metric */
    uint32_t stored;
} memory;

/* Remembers the step from w to w_new, unless the curvature along it is not positive. */
static void remember(memory *m, const double *w, const double *w_new, const double *g, const double *g_new,
                     const double *diagonal, uint64_t n)
{
    const uint32_t at = m->stored % MEMORY;
    float *step = m->step + at * n, *change = m->change + at * n;
    double curvature = 0, length = 0;
    for (uint64_t k = 0; k < n; k++) {
        step[k] = (float)(w_new[k] - w[k]);
        change[k] = (float)(g_new[k] - g[k]);
        curvature += (double)step[k] * change[k];
        length += (double)change[k] * change[k] * diagonal[k];
    }
    if (curvature > 0) {
        m->rho[at] = 1 / curvature;
        m->scale = curvature / length;
        m->stored++;
    }
}

/* The two-loop recursion: direction = -H g. */
static void descent_direction(const memory *m, const double *g, const double *diagonal, double *direction, uint64_t n)
{
    double alpha[MEMORY];
    for (uint64_t k = 0; k < n; k++)
        direction[k] = -g[k];
    const uint32_t from = m->stored > MEMORY ? m->stored - MEMORY : 0;
    for (uint32_t i = m->stored; i-- > from;) {
        const uint32_t at = i % MEMORY;
        const float *change = m->change + at * n;
        alpha[at] = m->rho[at] * remembered_dot(m->step + at * n, direction, n);
        for (uint64_t k = 0; k < n; k++)
            direction[k] -= alpha[at] * change[k];
    }
    for (uint64_t k = 0; k < n; k++)
        direction[k] *= m->scale * diagonal[k];
    for (uint32_t i = from; i < m->stored; i++) {
        const uint32_t at = i % MEMORY;
        const float *step = m->step + at * n;
        const double beta = m->rho[at] * remembered_dot(m->change + at * n, direction, n);
        for (uint64_t k = 0; k < n; k++)
            direction[k] += (alpha[at] - beta) * step[k];
    }
}

int fit_softmax(const node_problem *p, const qac_training *t, solver_space *space, const qac_progress *progress,
                uint64_t *passes, node_weights *out, double loss[2])
{
    const uint64_t n = p->slots;
    const uint64_t doubles = 5 * n + p->children, floats = 2 * MEMORY * n;
    double *g = buffer_need(&space->work, doubles * sizeof(double) + floats * sizeof(float) + (p->children + 1u) * 5, 1);
    double *w = buffer_need(&space->weight, n, sizeof *w);
    if (!g || !w)
        return QAC_ENOMEM;
    double *trial = g + n, *trial_g = trial + n, *direction = trial_g + n, *diagonal = direction + n;
    scratch s = {.z = diagonal + n};
    memory m = {.step = (float *)(s.z + p->children), .scale = 1};
    m.change = m.step + MEMORY * n;
    s.touched = (uint32_t *)(m.change + MEMORY * n);
    s.is_touched = (uint8_t *)(s.touched + p->children + 1);
    memset(w, 0, n * sizeof *w);
    memset(s.z, 0, p->children * sizeof *s.z);
    memset(s.is_touched, 0, p->children);

    double plain = evaluate(p, w, g, &s);
    ++*passes;
    inverse_diagonal(p, t->l2, g, trial, diagonal); /* trial and trial_g lie together; each feature has a slot */
    /* The constant: targets' offsets, so that the loss is a negative log-likelihood. */
    double offset = 0;
    for (uint32_t i = 0; i < p->sessions; i++)
        for (uint64_t j = i ? p->y_end[i - 1] : 0; j < p->y_end[i]; j++)
            offset -= p->y_weight[j] * log(p->mass[p->y_child[j]]);
    loss[0] = plain + offset;
    double f = plain; /* w = 0: no penalty yet */

    for (uint32_t pass = 1; pass < t->max_passes; pass++) {
        if (is_cancelled(progress))
            return QAC_ECANCELLED;
        descent_direction(&m, g, diagonal, direction, n);
        const double slope = dot(g, direction, n);
        if (!(slope < 0))
            break;
        /* Backtracking until the decrease is sufficient (Armijo). */
        double step = 1, trial_plain = 0, trial_f = 0;
        bool found = false;
        for (int tries = 0; tries < 20 && !found; tries++, step *= 0.5) {
            for (uint64_t k = 0; k < n; k++)
                trial[k] = w[k] + step * direction[k];
            trial_plain = evaluate(p, trial, trial_g, &s);
            ++*passes;
            trial_f = trial_plain + 0.5 * t->l2 * dot(trial, trial, n);
            found = trial_f <= f + 1e-4 * step * slope;
        }
        if (!found)
            break;
        for (uint64_t k = 0; k < n; k++)
            trial_g[k] += t->l2 * trial[k];
        remember(&m, w, trial, g, trial_g, diagonal, n);
        memcpy(w, trial, n * sizeof *w);
        memcpy(g, trial_g, n * sizeof *g);
        const double gain = f - trial_f;
        f = trial_f;
        plain = trial_plain;
        if (gain <= t->tolerance * (f + offset))
            break;
    }
    loss[1] = plain + offset;
    *out = (node_weights){p->slot_end, p->slot_child, w};
    return QAC_OK;
}

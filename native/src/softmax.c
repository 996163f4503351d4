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
 * which levels out frequent and rare features.
 */
#include <math.h>

#include "train.h"

enum { MEMORY = 6 };

typedef struct {
    double *z;          /* [children] w_c.x of touched children */
    uint32_t *touched;  /* [children] */
    uint8_t *is_touched;
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
                if (!s->is_touched[c]) {
                    s->is_touched[c] = 1;
                    s->z[c] = 0;
                    s->touched[n++] = c;
                }
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
        for (uint32_t j = 0; j < n; j++)
            s->is_touched[s->touched[j]] = 0;
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

static double dot(const double *a, const double *b, uint64_t n)
{
    /* Four sums, so that the compiler may keep them in one register without reordering anything. */
    double s[4] = {0, 0, 0, 0};
    uint64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int j = 0; j < 4; j++)
            s[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        s[0] += a[i] * b[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

int fit_softmax(const node_problem *p, const qac_training *t, solver_space *space, volatile uint64_t *passes,
                const volatile int *cancel, node_weights *out, double loss[2])
{
    const uint64_t n = p->slots;
    const uint64_t doubles = (5 + 2 * MEMORY) * n + p->children;
    double *base = buffer_need(&space->work, doubles * sizeof(double) + p->children * 5, 1);
    double *w = buffer_need(&space->weight, n, sizeof *w);
    if (!base || !w)
        return QAC_ENOMEM;
    memset(w, 0, n * sizeof *w);
    *out = (node_weights){p->slot_end, p->slot_child, w};
    double *g = base, *trial = g + n, *trial_g = trial + n, *direction = trial_g + n, *diagonal = direction + n;
    double *s_mem = diagonal + n, *y_mem = s_mem + MEMORY * n;
    scratch s = {y_mem + MEMORY * n, NULL, NULL};
    s.touched = (uint32_t *)(s.z + p->children);
    s.is_touched = (uint8_t *)(s.touched + p->children);
    memset(s.is_touched, 0, p->children);
    double rho[MEMORY], alpha[MEMORY];
    uint32_t stored = 0;

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
        if (*cancel)
            return QAC_ECANCELLED;
        /* Two-loop recursion: direction = -H g. */
        for (uint64_t k = 0; k < n; k++)
            direction[k] = -g[k];
        const uint32_t from = stored > MEMORY ? stored - MEMORY : 0;
        for (uint32_t m = stored; m-- > from;) {
            const uint32_t at = m % MEMORY;
            alpha[at] = rho[at] * dot(s_mem + at * n, direction, n);
            for (uint64_t k = 0; k < n; k++)
                direction[k] -= alpha[at] * y_mem[at * n + k];
        }
        for (uint64_t k = 0; k < n; k++)
            direction[k] *= diagonal[k];
        for (uint32_t m = from; m < stored; m++) {
            const uint32_t at = m % MEMORY;
            const double beta = rho[at] * dot(y_mem + at * n, direction, n);
            for (uint64_t k = 0; k < n; k++)
                direction[k] += (alpha[at] - beta) * s_mem[at * n + k];
        }
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
        const uint32_t at = stored % MEMORY;
        double *ds = s_mem + at * n, *dy = y_mem + at * n;
        for (uint64_t k = 0; k < n; k++) {
            trial_g[k] += t->l2 * trial[k];
            ds[k] = trial[k] - w[k];
            dy[k] = trial_g[k] - g[k];
            w[k] = trial[k];
            g[k] = trial_g[k];
        }
        const double curvature = dot(ds, dy, n);
        if (curvature > 0) {
            rho[at] = 1 / curvature;
            stored++;
        }
        const double gain = f - trial_f;
        f = trial_f;
        plain = trial_plain;
        if (gain <= t->tolerance * (f + offset))
            break;
    }
    loss[1] = plain + offset;
    return QAC_OK;
}

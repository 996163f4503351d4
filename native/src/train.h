/* train.h - a node's learning problem, and the losses that solve it. */
#ifndef QAC_TRAIN_H
#define QAC_TRAIN_H

#include <pthread.h>
#include <stdatomic.h>

#include "core.h"

struct qac_progress {
    pthread_mutex_t lock; /* of state */
    qac_training_state state;
    atomic_bool cancelled;
};

void progress_set(qac_progress *p, qac_training_state state);
void progress_add(qac_progress *p, qac_training_state more);

static inline bool is_cancelled(const qac_progress *p)
{
    return atomic_load_explicit(&p->cancelled, memory_order_relaxed);
}

/* One node's problem. "Local" features are numbered 0.. in ascending order of their global ids; only those that some
 * example of the node has exist. A slot is a (feature, child) pair that occurs together in an example: one weight. */
typedef struct {
    uint32_t children;
    const double *mass;        /* [children] counts; the offset of the softmax is their logarithm */
    double total_mass, least_mass; /* sum and smallest */

    uint32_t sessions;         /* distinct feature vectors */
    const uint64_t *x_end;     /* [sessions] features of session s: x_feature/x_value [x_end[s-1], x_end[s]) */
    const uint32_t *x_feature; /* local */
    const float *x_value;
    const uint64_t *y_end;     /* [sessions] what followed: y_child/y_weight [y_end[s-1], y_end[s]), children ascend */
    const uint32_t *y_child;
    const float *y_weight;

    uint32_t features;
    const uint64_t *slot_end;   /* [features] slots of a feature, children ascend */
    const uint32_t *slot_child;
    uint64_t slots;
} node_problem;

/* A growing buffer that keeps its size between nodes. */
typedef struct {
    void *data;
    uint64_t capacity; /* in bytes */
} buffer;

void *buffer_need(buffer *b, uint64_t n, size_t size); /* room for n things; content is lost; NULL: out of memory */
void *buffer_grow(buffer *b, uint64_t n, size_t size); /* the same; content stays */

/* A node's weights: those of local feature f are [end[f-1], end[f]), children ascend. */
typedef struct {
    const uint64_t *end;
    const uint32_t *child;
    const double *weight;
} node_weights;

/* Work space of a solver, kept between nodes; the weights it returns live there. */
typedef struct {
    buffer work, weight, kept, end, child;
} solver_space;

/* Each solves one node's problem, adds to *passes as it goes and returns QAC_ECANCELLED soon after it is cancelled.
 * loss[0], loss[1]: before and after, without the penalty. */
typedef int fit_function(const node_problem *p, const qac_training *t, solver_space *space, const qac_progress *progress,
                         uint64_t *passes, node_weights *out, double loss[2]);
fit_function fit_softmax, fit_hinge;

/* What one ranker is: rows of features, global ids ascending, each with weights of children. */
typedef struct {
    uint32_t rows;
    uint64_t entries;
    uint32_t *row_feature;
    uint32_t *row_end; /* within this node */
    uint16_t *entry_child;
    float *entry_weight;
} ranker;

/* The nodes of one tree level that each session's search would keep, by the rankers of the levels above. */
typedef struct {
    uint32_t width;
    struct beam_item *item; /* [rows * width] */
    uint32_t *n;            /* [rows] */
    /* The same by node: node i of the level has the sessions row[row_begin[i - first] .. row_begin[i - first + 1]). */
    uint32_t first;         /* of the level's nodes */
    uint64_t *row_begin;    /* [nodes of the level + 1], or NULL: no level has been matched */
    uint32_t *row;
} matches;

int matches_start(matches *m, const qac_tree *tree, uint32_t rows, uint32_t width); /* all sessions at the root */
void matches_free(matches *m);

/* Goes down one level, to the nodes [first, last), by the level above's rankers. `threads` share the sessions. */
int matches_descend(matches *m, const qac_tree *tree, const qac_examples *examples, const ranker *rankers, uint32_t first,
                    uint32_t last, uint32_t threads);

#endif

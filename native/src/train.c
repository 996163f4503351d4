/* train.c - from a tree and examples to one ranker per node, over threads.
 *
 * Nodes are independent: each is one job, large ones first, and a job's result does not depend on which thread ran it
 * or when. So the outcome is the same, bit for bit, for any number of threads.
 */
#include <math.h>

#include "train.h"

void *buffer_need(buffer *b, uint64_t n, size_t size)
{
    if (n > (UINT64_MAX >> 2) / (size ? size : 1))
        return NULL;
    const uint64_t bytes = n * size;
    if (bytes > b->capacity || !b->data) {
        free(b->data);
        b->capacity = bytes + bytes / 4 + 64;
        b->data = qac_alloc(b->capacity, 1);
        if (!b->data)
            b->capacity = 0;
    }
    return b->data;
}

void *buffer_grow(buffer *b, uint64_t n, size_t size)
{
    if (n > (UINT64_MAX >> 2) / (size ? size : 1))
        return NULL;
    const uint64_t bytes = n * size;
    if (bytes > b->capacity || !b->data) {
        const uint64_t capacity = bytes + bytes / 2 + 64;
        void *data = QAC_REALLOC(b->data, capacity);
        if (!data)
            return NULL;
        b->data = data;
        b->capacity = capacity;
    }
    return b->data;
}

/* ---- sorting ---- */

typedef struct {
    uint64_t key;
    float weight;
} pair;

/* Radix sort by key, stable; bytes in which all keys agree cost one counting pass. Returns where the result is. */
static pair *sort_pairs(pair *a, pair *b, uint64_t n)
{
    if (n < 64) {
        for (uint64_t i = 1; i < n; i++) {
            const pair p = a[i];
            uint64_t j = i;
            for (; j > 0 && a[j - 1].key > p.key; j--)
                a[j] = a[j - 1];
            a[j] = p;
        }
        return a;
    }
    for (int shift = 0; shift < 64; shift += 8) {
        uint64_t count[256] = {0};
        for (uint64_t i = 0; i < n; i++)
            count[(a[i].key >> shift) & 255]++;
        if (count[(a[0].key >> shift) & 255] == n)
            continue;
        for (uint64_t sum = 0, i = 0; i < 256; i++) {
            const uint64_t c = count[i];
            count[i] = sum;
            sum += c;
        }
        for (uint64_t i = 0; i < n; i++)
            b[count[(a[i].key >> shift) & 255]++] = a[i];
        pair *t = a;
        a = b;
        b = t;
    }
    return a;
}

/* ---- one node's result ---- */

struct qac_rankers {
    ranker *ranker; /* [nodes] */
    uint32_t nodes;
    uint64_t rows, entries;
};

/* ---- shared by the threads ---- */

typedef struct {
    uint32_t node;
    uint64_t examples;
} job;

typedef struct {
    const qac_tree *tree;
    const qac_examples *examples;
    const qac_training *training;
    qac_progress *progress;
    qac_rankers *out;
    job *jobs; /* largest first */
    uint32_t n_jobs;
    atomic_uint_fast32_t next;
    atomic_int status; /* the first error */
    double (*loss)[2];  /* [nodes] */
    matches matched;    /* sessions that come to the nodes by search, not by what followed them */
} shared;

/* A thread's buffers, kept from job to job. */
typedef struct {
    buffer pairs, pairs2, mass, x_end, x_feature, x_value, y_end, y_child, y_weight, features, slot_end, slot_child, seen;
    solver_space solver;
    uint32_t *local; /* [features] global id -> local id of the current node */
} workspace;

static void buffers_free(workspace *w)
{
    solver_space *s = &w->solver;
    buffer *all[] = {&w->pairs,    &w->pairs2,   &w->mass,     &w->x_end,    &w->x_feature, &w->x_value,
                     &w->y_end,    &w->y_child,  &w->y_weight, &w->features, &w->slot_end,  &w->slot_child,
                     &w->seen,     &s->work,     &s->weight,   &s->kept,     &s->end,       &s->child};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]->data);
        *all[i] = (buffer){0};
    }
}

/* The labels of a child: fills lo, hi and, for clustered ones, returns the array they index. */
static const uint32_t *child_labels(const qac_tree *tree, const qac_node *node, uint32_t c, uint32_t *lo, uint32_t *hi)
{
    if (node->flags & QAC_NODE_LEAF) {
        *lo = node->lo + c;
        *hi = *lo + 1;
        return node->flags & QAC_NODE_CLUSTERED ? tree->members : NULL;
    }
    const uint32_t ref = tree->children[node->child + c];
    if (ref & QAC_CHILD_LABEL) {
        *lo = ref & ~(uint32_t)QAC_CHILD_LABEL;
        *hi = *lo + 1;
        return NULL;
    }
    *lo = tree->node[ref].lo;
    *hi = tree->node[ref].hi;
    return tree->node[ref].flags & QAC_NODE_CLUSTERED ? tree->members : NULL;
}

static uint64_t first_example(const qac_examples *e, uint32_t label) { return label ? e->label_end[label - 1] : 0; }

static uint64_t count_examples(const qac_tree *tree, const qac_examples *e, const qac_node *node)
{
    if (!(node->flags & QAC_NODE_CLUSTERED))
        return node->hi > node->lo ? e->label_end[node->hi - 1] - first_example(e, node->lo) : 0;
    uint64_t n = 0;
    for (uint32_t i = node->lo; i < node->hi; i++)
        n += e->label_end[tree->members[i]] - first_example(e, tree->members[i]);
    return n;
}

static int compare_u32(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sorts distinct children, mostly few. */
static void sort_children(uint32_t *a, uint64_t n)
{
    if (n >= 32) {
        qsort(a, n, sizeof *a, compare_u32);
        return;
    }
    for (uint64_t i = 1; i < n; i++) {
        const uint32_t c = a[i];
        uint64_t j = i;
        for (; j > 0 && a[j - 1] > c; j--)
            a[j] = a[j - 1];
        a[j] = c;
    }
}

/* In place of a child, for a session that search alone brought to the node. */
static const uint32_t NO_CHILD = UINT32_MAX;

static bool has_features(const qac_examples *e, uint32_t row)
{
    return e->row_end[row] > (row ? e->row_end[row - 1] : 0);
}

/* Gathers the node's examples and masses into w->pairs, keyed session << 32 | child, sorted and summed; behind a
 * session's children stands NO_CHILD where search came to the node too. Sets *n and the result's place; QAC_OK or
 * QAC_ENOMEM. */
static int gather(const shared *sh, uint32_t number, uint64_t expected, workspace *w, pair **result, uint64_t *n)
{
    const qac_examples *e = sh->examples;
    const qac_node *node = &sh->tree->node[number];
    const matches *m = &sh->matched;
    const uint64_t match = m->row_begin ? m->row_begin[number - m->first] : 0;
    const uint64_t match_end = m->row_begin ? m->row_begin[number - m->first + 1] : 0;
    expected += match_end - match;
    pair *a = buffer_need(&w->pairs, expected, sizeof(pair)), *b = buffer_need(&w->pairs2, expected, sizeof(pair));
    double *mass = buffer_need(&w->mass, node->n_children, sizeof(double));
    if (!a || !b || !mass)
        return QAC_ENOMEM;
    uint64_t count = 0;
    for (uint32_t c = 0; c < node->n_children; c++) {
        uint32_t lo, hi;
        const uint32_t *members = child_labels(sh->tree, node, c, &lo, &hi);
        mass[c] = 0;
        for (uint32_t i = lo; i < hi; i++) {
            const uint32_t label = members ? members[i] : i;
            mass[c] += sh->tree->weight[label];
            for (uint64_t j = first_example(e, label); j < e->label_end[label]; j++) {
                const uint32_t row = e->example_row[j];
                if (has_features(e, row)) /* a session without any teaches nothing */
                    a[count++] = (pair){(uint64_t)row << 32 | c, e->example_weight[j]};
            }
        }
    }
    for (uint64_t i = match; i < match_end; i++)
        if (has_features(e, m->row[i]))
            a[count++] = (pair){(uint64_t)m->row[i] << 32 | NO_CHILD, 0};
    pair *sorted = sort_pairs(a, b, count);
    uint64_t out = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (out && sorted[out - 1].key == sorted[i].key)
            sorted[out - 1].weight += sorted[i].weight;
        else
            sorted[out++] = sorted[i];
    }
    *result = sorted;
    *n = out;
    return QAC_OK;
}

/* Builds the local problem, but for its slots, from sorted pairs. w->features then holds the global ids of the local
 * features. These are numbered as sessions come to them: what is rare is then near to what it occurs with, and a pass
 * over the sessions goes through memory in order. */
static int build(const shared *sh, const pair *pairs, uint64_t n, const qac_node *node, workspace *w, node_problem *p)
{
    const qac_examples *e = sh->examples;
    uint32_t sessions = 0;
    uint64_t x_total = 0;
    for (uint64_t i = 0; i < n; i++) {
        const uint32_t row = (uint32_t)(pairs[i].key >> 32);
        if (i == 0 || row != (uint32_t)(pairs[i - 1].key >> 32)) {
            sessions++;
            x_total += e->row_end[row] - (row ? e->row_end[row - 1] : 0);
        }
    }
    uint64_t *x_end = buffer_need(&w->x_end, sessions, sizeof *x_end);
    uint64_t *y_end = buffer_need(&w->y_end, sessions, sizeof *y_end);
    uint32_t *x_feature = buffer_need(&w->x_feature, x_total, sizeof *x_feature);
    float *x_value = buffer_need(&w->x_value, x_total, sizeof *x_value);
    uint32_t *y_child = buffer_need(&w->y_child, n, sizeof *y_child);
    float *y_weight = buffer_need(&w->y_weight, n, sizeof *y_weight);
    uint32_t *features = buffer_need(&w->features, x_total, sizeof *features);
    if (!x_end || !y_end || !x_feature || !x_value || !y_child || !y_weight || !features)
        return QAC_ENOMEM;

    /* Sessions, and which features they have. */
    uint32_t n_features = 0, s = 0;
    uint64_t x = 0, y = 0;
    for (uint64_t i = 0; i < n; i++) {
        const uint32_t row = (uint32_t)(pairs[i].key >> 32);
        if (i == 0 || row != (uint32_t)(pairs[i - 1].key >> 32)) {
            for (uint64_t j = row ? e->row_end[row - 1] : 0; j < e->row_end[row]; j++, x++) {
                uint32_t *local = &w->local[e->feature[j]];
                if (*local == QAC_NO_ID) {
                    *local = n_features;
                    features[n_features++] = e->feature[j];
                }
                x_feature[x] = *local;
                x_value[x] = e->value[j];
            }
            x_end[s++] = x;
        }
        if ((uint32_t)pairs[i].key != NO_CHILD) {
            y_child[y] = (uint32_t)pairs[i].key;
            y_weight[y++] = pairs[i].weight;
        }
        y_end[s - 1] = y;
    }
    for (uint32_t f = 0; f < n_features; f++)
        w->local[features[f]] = QAC_NO_ID;

    const double *mass = w->mass.data;
    double total = 0, least = mass[0];
    for (uint32_t c = 0; c < node->n_children; c++) {
        total += mass[c];
        least = mass[c] < least ? mass[c] : least;
    }
    *p = (node_problem){
        .children = node->n_children, .mass = mass, .total_mass = total, .least_mass = least, .sessions = sessions, .x_end = x_end,
        .x_feature = x_feature, .x_value = x_value, .y_end = y_end, .y_child = y_child, .y_weight = y_weight,
        .features = n_features,
    };
    return QAC_OK;
}

/* Lists the sessions of each feature, ascending: those of f are session[end[f-1] .. end[f]). */
static void by_feature(const node_problem *p, uint64_t *end, uint32_t *session)
{
    memset(end, 0, p->features * sizeof *end);
    const uint64_t n = p->x_end[p->sessions - 1];
    for (uint64_t j = 0; j < n; j++)
        end[p->x_feature[j]]++;
    for (uint64_t f = 0, sum = 0; f < p->features; f++) {
        const uint64_t count = end[f];
        end[f] = sum; /* its begin, until it is filled */
        sum += count;
    }
    for (uint32_t s = 0; s < p->sessions; s++)
        for (uint64_t j = s ? p->x_end[s - 1] : 0; j < p->x_end[s]; j++)
            session[end[p->x_feature[j]]++] = s;
}

/* Adds the slots: the distinct (feature, child) pairs. The pair buffers' content has been copied out: they are free. */
static int add_slots(workspace *w, node_problem *p)
{
    uint64_t *feature_end = buffer_need(&w->pairs, p->features, sizeof *feature_end);
    uint32_t *session = buffer_need(&w->pairs2, p->x_end[p->sessions - 1], sizeof *session);
    uint32_t *seen = buffer_need(&w->seen, p->children, sizeof *seen); /* feature + 1 that a child was last seen with */
    uint64_t *slot_end = buffer_need(&w->slot_end, p->features, sizeof *slot_end);
    if (!feature_end || !session || !seen || !slot_end)
        return QAC_ENOMEM;
    by_feature(p, feature_end, session);
    memset(seen, 0, p->children * sizeof *seen);
    uint32_t *child = NULL;
    uint64_t at = 0;
    for (uint32_t f = 0; f < p->features; f++) {
        child = buffer_grow(&w->slot_child, at + p->children, sizeof *child);
        if (!child)
            return QAC_ENOMEM;
        const uint64_t first = at;
        for (uint64_t j = f ? feature_end[f - 1] : 0; j < feature_end[f]; j++) {
            const uint32_t s = session[j];
            for (uint64_t i = s ? p->y_end[s - 1] : 0; i < p->y_end[s]; i++) {
                const uint32_t c = p->y_child[i];
                if (seen[c] != f + 1) {
                    seen[c] = f + 1;
                    child[at++] = c;
                }
            }
        }
        sort_children(child + first, at - first);
        slot_end[f] = at;
    }
    p->slot_end = slot_end;
    p->slot_child = child;
    p->slots = at;
    return QAC_OK;
}

/* Keeps the weights that are worth keeping, rows in the order of the features' global ids. */
static int collect(const node_weights *weights, uint32_t n_features, float prune, workspace *w, ranker *r)
{
    const uint32_t *features = w->features.data;
    pair *a = buffer_need(&w->pairs, n_features, sizeof *a), *b = buffer_need(&w->pairs2, n_features, sizeof *b);
    if (!a || !b)
        return QAC_ENOMEM;
    uint64_t entries = 0;
    uint32_t rows = 0;
    for (uint32_t f = 0; f < n_features; f++) {
        const uint64_t before = entries;
        for (uint64_t k = f ? weights->end[f - 1] : 0; k < weights->end[f]; k++)
            entries += fabs(weights->weight[k]) >= prune;
        if (entries > before)
            a[rows++] = (pair){(uint64_t)features[f] << 32 | f, 0};
    }
    if (entries > UINT32_MAX)
        return QAC_EINVAL;
    *r = (ranker){
        .row_feature = qac_alloc(rows, sizeof(uint32_t)), .row_end = qac_alloc(rows, sizeof(uint32_t)),
        .entry_child = qac_alloc(entries, sizeof(uint16_t)), .entry_weight = qac_alloc(entries, sizeof(float)),
    };
    if (!r->row_feature || !r->row_end || !r->entry_child || !r->entry_weight)
        return QAC_ENOMEM; /* the pieces are freed with all rankers */
    const pair *row = sort_pairs(a, b, rows);
    for (; r->rows < rows; r->rows++) {
        const uint32_t f = (uint32_t)row[r->rows].key;
        for (uint64_t k = f ? weights->end[f - 1] : 0; k < weights->end[f]; k++) {
            if (fabs(weights->weight[k]) >= prune) {
                r->entry_child[r->entries] = (uint16_t)weights->child[k];
                r->entry_weight[r->entries++] = (float)weights->weight[k];
            }
        }
        r->row_feature[r->rows] = features[f];
        r->row_end[r->rows] = (uint32_t)r->entries;
    }
    return QAC_OK;
}

static int train_node(shared *sh, const job *j, workspace *w)
{
    const bool hinge = sh->training->loss == QAC_LOSS_HINGE;
    pair *pairs;
    uint64_t n;
    node_problem p;
    node_weights weights;
    int status = gather(sh, j->node, j->examples, w, &pairs, &n);
    if (status || n == 0)
        return status;
    status = build(sh, pairs, n, &sh->tree->node[j->node], w, &p);
    if (!status && !hinge)
        status = add_slots(w, &p);
    if (status)
        return status;
    fit_function *fit = hinge ? fit_hinge : fit_softmax;
    uint64_t passes = 0;
    status = fit(&p, sh->training, &w->solver, sh->progress, &passes, &weights, sh->loss[j->node]);
    if (!status)
        status = collect(&weights, p.features, sh->training->prune, w, &sh->out->ranker[j->node]);
    progress_add(sh->progress, (qac_training_state){.passes = passes});
    return status;
}

enum { MANY_EXAMPLES = 1 << 20 };

static void *run(void *argument)
{
    shared *sh = argument;
    workspace w = {0};
    int status = QAC_OK;
    w.local = qac_alloc(sh->examples->features, sizeof(uint32_t));
    if (!w.local)
        status = QAC_ENOMEM;
    else
        memset(w.local, 0xFF, sh->examples->features * sizeof(uint32_t));
    while (!status && !atomic_load(&sh->status)) {
        const uint_fast32_t i = atomic_fetch_add(&sh->next, 1);
        if (i >= sh->n_jobs)
            break;
        status = is_cancelled(sh->progress) ? QAC_ECANCELLED : train_node(sh, &sh->jobs[i], &w);
        if (sh->jobs[i].examples >= MANY_EXAMPLES)
            buffers_free(&w); /* the nodes after it are smaller, and by and by the results need the room */
        const double *loss = sh->loss[sh->jobs[i].node];
        progress_add(sh->progress, (qac_training_state){
                                       .work_done = sh->jobs[i].examples, .loss_start = loss[0], .loss = loss[1]});
    }
    if (status) {
        int none = QAC_OK;
        atomic_compare_exchange_strong(&sh->status, &none, status);
    }
    buffers_free(&w);
    free(w.local);
    return NULL;
}

static int larger_first(const void *a, const void *b)
{
    const job *x = a, *y = b;
    if (x->examples != y->examples)
        return x->examples > y->examples ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

/* Trains the nodes [first, last). The calling thread is one of the threads; one that cannot be started is one fewer, not
 * a failure. */
static int train_nodes(shared *sh, uint32_t first, uint32_t last, pthread_t *thread)
{
    sh->n_jobs = 0;
    atomic_store(&sh->next, 0);
    for (uint32_t i = first; i < last; i++) {
        const qac_node *node = &sh->tree->node[i];
        const uint64_t n = node->n_children > 1 ? count_examples(sh->tree, sh->examples, node) : 0;
        if (n)
            sh->jobs[sh->n_jobs++] = (job){i, n};
    }
    qsort(sh->jobs, sh->n_jobs, sizeof *sh->jobs, larger_first);
    uint32_t started = 0;
    for (uint32_t i = 1; i < sh->training->threads; i++)
        if (pthread_create(&thread[started], NULL, run, sh) == 0)
            started++;
    run(sh);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    return atomic_load(&sh->status);
}

/* Nodes are numbered breadth first, so a level is a range: those that the nodes of the level before name. */
static uint32_t level_end(const qac_tree *tree, uint32_t first, uint32_t last)
{
    uint32_t end = last;
    for (uint32_t i = first; i < last; i++) {
        const qac_node *node = &tree->node[i];
        for (uint32_t c = 0; !(node->flags & QAC_NODE_LEAF) && c < node->n_children; c++)
            end += !(tree->children[node->child + c] & QAC_CHILD_LABEL);
    }
    return end;
}

/* Level by level: what search brings to a node follows from the rankers above it. */
static int train_levels(shared *sh, pthread_t *thread)
{
    const qac_tree *tree = sh->tree;
    int status = matches_start(&sh->matched, tree, sh->examples->rows, sh->training->matcher_beam);
    for (uint32_t first = 0, last = 1; !status && first < last;) {
        status = train_nodes(sh, first, last, thread);
        const uint32_t end = level_end(tree, first, last);
        if (!status && end > last)
            status = matches_descend(&sh->matched, tree, sh->examples, sh->out->ranker, last, end, sh->training->threads);
        first = last;
        last = end;
    }
    matches_free(&sh->matched);
    return status;
}

static bool is_valid(const qac_training *t)
{
    if (t->loss == QAC_LOSS_HINGE ? !(t->positive_cost > 0 && t->negative_cost > 0)
                                  : t->loss != QAC_LOSS_SOFTMAX || t->matcher_beam)
        return false;
    return t->l2 > 0 && t->threads >= 1 && t->threads <= QAC_MAX_THREADS && t->max_passes >= 1;
}

int qac_train(const qac_tree *tree, const qac_examples *examples, const qac_training *training, qac_progress *progress,
              qac_rankers **out)
{
    if (!is_valid(training))
        return QAC_EINVAL;
    for (uint32_t i = 0; i < tree->nodes; i++)
        if (tree->node[i].n_children > UINT16_MAX + 1u)
            return QAC_EINVAL;
    shared sh = {.tree = tree, .examples = examples, .training = training, .progress = progress};
    qac_rankers *r = qac_alloc(1, sizeof *r);
    ranker *all = qac_alloc(tree->nodes, sizeof *all);
    pthread_t *thread = qac_alloc(training->threads, sizeof *thread);
    int status = QAC_ENOMEM;
    sh.jobs = qac_alloc(tree->nodes, sizeof *sh.jobs);
    sh.loss = qac_alloc(tree->nodes, sizeof *sh.loss);
    if (all)
        memset(all, 0, tree->nodes * sizeof *all);
    if (r)
        *r = (qac_rankers){.ranker = all, .nodes = all ? tree->nodes : 0};
    if (!r || !sh.jobs || !sh.loss || !all || !thread)
        goto done;
    memset(sh.loss, 0, tree->nodes * sizeof *sh.loss);
    sh.out = r;
    qac_training_state state = {0};
    for (uint32_t i = 0; i < tree->nodes; i++)
        if (tree->node[i].n_children > 1)
            state.work_total += count_examples(tree, examples, &tree->node[i]);
    progress_set(progress, state);
    status = training->matcher_beam ? train_levels(&sh, thread) : train_nodes(&sh, 0, tree->nodes, thread);
    /* Sum in the order of nodes: the order in which threads finished must not show. */
    qac_progress_read(progress, &state);
    state.loss = state.loss_start = 0;
    for (uint32_t i = 0; i < tree->nodes; i++) {
        r->rows += all[i].rows;
        r->entries += all[i].entries;
        state.loss_start += sh.loss[i][0];
        state.loss += sh.loss[i][1];
    }
    progress_set(progress, state);
done:
    free(sh.jobs);
    free(sh.loss);
    free(thread);
    if (status == QAC_OK) {
        *out = r;
        return QAC_OK;
    }
    if (r)
        qac_rankers_free(r); /* frees `all`, which it owns */
    else
        free(all);
    return status;
}

void qac_rankers_sizes(const qac_rankers *r, uint64_t *rows, uint64_t *entries)
{
    *rows = r->rows;
    *entries = r->entries;
}

void qac_rankers_copy(const qac_rankers *r, uint32_t *node_rows, uint32_t *row_feature, uint64_t *row_end,
                      uint16_t *entry_child, float *entry_weight)
{
    uint64_t row = 0, entry = 0;
    for (uint32_t i = 0; i < r->nodes; i++) {
        const ranker *k = &r->ranker[i];
        node_rows[i] = k->rows;
        for (uint32_t j = 0; j < k->rows; j++) {
            row_feature[row] = k->row_feature[j];
            row_end[row++] = entry + k->row_end[j];
        }
        if (k->entries) {
            memcpy(entry_child + entry, k->entry_child, k->entries * sizeof *entry_child);
            memcpy(entry_weight + entry, k->entry_weight, k->entries * sizeof *entry_weight);
        }
        entry += k->entries;
    }
}

void qac_rankers_free(qac_rankers *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->nodes; i++) {
        free(r->ranker[i].row_feature);
        free(r->ranker[i].row_end);
        free(r->ranker[i].entry_child);
        free(r->ranker[i].entry_weight);
    }
    free(r->ranker);
    free(r);
}

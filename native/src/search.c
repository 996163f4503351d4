/* search.c - from a session and a prefix to the best completions.
 *
 * The prefix selects a range of labels. From the root down, only children with a label in the range take part, and
 * probabilities are shared among those:
 *
 *     P(child | node, session, prefix)  =  m_c exp(z_c) / sum over matching children of m exp(z)
 *
 * m_c: mass of the child's labels in the range; z_c: the ranker's weights for the child times the session's features.
 * Where one child matches, no ranker runs. A label's score is the product along its path, so it never exceeds that of any
 * node above it: taking nodes off a priority queue until none can beat the k-th answer is exact. Without features all goes
 * by mass, and no label of a node scores more than the one of most mass.
 *
 * Hinge rankers know no shares: each child's factor is exp(-max(0, 1 - z)^3), whatever the others'. It is at most 1, so
 * all the above holds. As published, such a search goes everywhere, and what does not start with the prefix is left out
 * of its answers (`filters`).
 */
#include "rows.h"
#include "search.h"

/* Nodes within rounding of the k-th answer are still looked at: they may hold an equal label with a smaller id. */
static const double SLACK = 1 + 1e-9;

/* Lift of the node where a search begins: 1 / mass, known once its children are weighed. */
static const double UNKNOWN_LIFT = -1;

/* 1 / sqrt(2) */
static const double HALF_ROOT = 0.70710678118654752440;

/* ---- features ---- */

static int read_features(const qac_model *m, qac_scratch *s, const char *prefix, size_t prefix_len, const char *session,
                         size_t session_len)
{
    const qac_parts *p = &m->parts;
    if (prefix_len > UINT32_MAX || session_len > UINT32_MAX)
        return QAC_EINVAL;
    s->n_features = 0;
    if (session_len && p->session_vocabulary.keys.n)
        s->n_features = qac_vectorize_in(&p->session, &p->session_vocabulary, session, session_len, s->terms, s->features);
    if (p->prefix_vocabulary.keys.n) {
        qac_feature *f = s->features + s->n_features;
        const uint32_t n = qac_vectorize_in(&p->prefix, &p->prefix_vocabulary, prefix, prefix_len, s->terms, f);
        for (uint32_t i = 0; i < n; i++)
            f[i].id += p->session_vocabulary.keys.n;
        /* Each block has length 1; so has the whole. */
        const bool both = n && s->n_features;
        s->n_features += n;
        for (uint32_t i = 0; both && i < s->n_features; i++)
            s->features[i].value *= (float)HALF_ROOT;
    }
    if (p->loss == QAC_LOSS_HINGE)
        s->features[s->n_features++] =
            (qac_feature){p->session_vocabulary.keys.n + p->prefix_vocabulary.keys.n, 1, QAC_TERM_BIAS, 0, 0};
    return QAC_OK;
}

/* ---- rankers ---- */

enum { AHEAD = 16 }; /* features whose blocks are loaded at once */

/* Sums the weights of the session's features into s->z for children [first, last); notes which it touched. */
static void rank_children(const search *q, const qac_node *node, uint32_t first, uint32_t last)
{
    qac_scratch *s = q->s;
    const qac_rows *rows = &q->m->parts.rows;
    row_walk w = rows_of(rows, node);
    uint32_t block[AHEAD];
    for (uint32_t f = 0; f < s->n_features; f++) {
        if (f % AHEAD == 0)
            for (uint32_t i = 0; i < AHEAD && f + i < s->n_features; i++)
                block[i] = row_block(rows, node, s->features[f + i].id);
        const double x = (double)s->features[f].value * node->scale;
        for (uint32_t n = row_seek(&w, block[f % AHEAD], s->features[f].id); n; n--) {
            const row_entry e = row_read(&w);
            const uint32_t c = e.child;
            if (c < first || c >= last)
                continue;
            if (!s->is_touched[c]) {
                s->is_touched[c] = 1;
                s->touched[s->n_touched++] = c;
            }
            s->z[c] += e.weight * x;
        }
    }
}

static void forget_ranking(qac_scratch *s)
{
    for (uint32_t i = 0; i < s->n_touched; i++) {
        s->z[s->touched[i]] = 0;
        s->is_touched[s->touched[i]] = 0;
    }
    s->n_touched = 0;
}

/* ---- which children match ---- */

static double labels_mass(const search *q, const uint32_t *members, uint32_t begin, uint32_t end)
{
    double mass = 0;
    for (uint32_t i = begin; i < end; i++)
        mass += label_weight(&q->label_mass, members ? members[i] : i);
    return mass;
}

/* Mass of the members [a, b): running sums for whole blocks, the labels' own for the rest. */
static double members_mass(const search *q, uint32_t a, uint32_t b)
{
    const uint32_t *members = q->m->parts.tree.members;
    const uint32_t first = a / QAC_MEMBER_BLOCK + 1, last = b / QAC_MEMBER_BLOCK;
    const double whole = first < last ? q->member_mass[last] - q->member_mass[first] : 0;
    if (!(whole > 0)) /* no whole block, or light members lost in a heavy running sum */
        return labels_mass(q, members, a, b);
    return labels_mass(q, members, a, first * QAC_MEMBER_BLOCK) + whole +
           labels_mass(q, members, last * QAC_MEMBER_BLOCK, b);
}

/* The members [*a, *b) of a clustered node that are in range; mostly all of them are. */
static void members_in_range(const search *q, const qac_node *node, uint32_t *a, uint32_t *b)
{
    const uint32_t *members = q->m->parts.tree.members;
    *a = members[node->lo] >= q->from ? node->lo : qac_lower_bound(members, node->lo, node->hi, q->from);
    *b = members[node->hi - 1] < q->to ? node->hi : qac_lower_bound(members, *a, node->hi, q->to);
}

/* Mass of a node's labels in range. */
static double node_mass(const search *q, uint32_t number)
{
    const qac_parts *p = &q->m->parts;
    const qac_node *node = &p->tree.node[number];
    const double all = q->node_mass ? q->node_mass[number] : node->mass;
    if (node->flags & QAC_NODE_CLUSTERED) {
        uint32_t a, b;
        members_in_range(q, node, &a, &b);
        return a == node->lo && b == node->hi ? all : members_mass(q, a, b);
    }
    if (node->lo >= q->from && node->hi <= q->to)
        return all;
    const uint32_t a = node->lo > q->from ? node->lo : q->from, b = node->hi < q->to ? node->hi : q->to;
    return labels_mass(q, NULL, a, b);
}

/* What child c is: a label's id with QAC_CHILD_LABEL set, or a node's number. */
static uint32_t child_ref(const qac_tree *t, const qac_node *node, uint32_t c)
{
    if (!(node->flags & QAC_NODE_LEAF))
        return t->children[node->child + c];
    return (node->flags & QAC_NODE_CLUSTERED ? t->members[node->lo + c] : node->lo + c) | QAC_CHILD_LABEL;
}

static uint32_t label_of(uint32_t ref) { return ref & ~(uint32_t)QAC_CHILD_LABEL; }

/* First label of a child whose labels are a range, and one past its last. */
static uint32_t ref_begin(const qac_tree *t, uint32_t ref)
{
    return ref & QAC_CHILD_LABEL ? label_of(ref) : t->node[ref].lo;
}

static uint32_t ref_end(const qac_tree *t, uint32_t ref)
{
    return ref & QAC_CHILD_LABEL ? label_of(ref) + 1 : t->node[ref].hi;
}

/* The children of an expanded node that may match: [first, last). */
static void eligible(const search *q, const qac_node *node, uint32_t *first, uint32_t *last)
{
    const qac_tree *t = &q->m->parts.tree;
    const bool clustered = node->flags & QAC_NODE_CLUSTERED;
    *first = 0;
    *last = node->n_children;
    if (node->flags & QAC_NODE_LEAF) {
        if (clustered) {
            members_in_range(q, node, first, last);
            *first -= node->lo;
            *last -= node->lo;
        } else {
            if (q->from > node->lo)
                *first = q->from - node->lo < node->n_children ? q->from - node->lo : node->n_children;
            if (q->to < node->hi)
                *last = q->to > node->lo ? q->to - node->lo : 0;
        }
    } else if (!(node->flags & QAC_NODE_CLUSTERS)) {
        /* Children's labels ascend: first child that ends behind q->from, first that begins at or behind q->to. */
        uint32_t a = 0, b = node->n_children;
        while (a < b) {
            const uint32_t mid = a + (b - a) / 2;
            if (ref_end(t, t->children[node->child + mid]) <= q->from)
                a = mid + 1;
            else
                b = mid;
        }
        *first = a;
        b = node->n_children;
        while (a < b) {
            const uint32_t mid = a + (b - a) / 2;
            if (ref_begin(t, t->children[node->child + mid]) < q->to)
                a = mid + 1;
            else
                b = mid;
        }
        *last = a;
    }
    if (*last < *first)
        *last = *first;
}

/* ---- answers and frontier ---- */

static bool better(const candidate *a, const candidate *b)
{
    return a->score != b->score ? a->score > b->score : a->label < b->label;
}

static double threshold(const search *q) { return q->s->n_top == q->k ? q->s->top[q->k - 1].score : -1; }

static void offer(const search *q, uint32_t label, double score)
{
    qac_scratch *s = q->s;
    if (label < q->lo || label >= q->hi)
        return;
    if (label == q->repeated)
        score *= q->m->parts.repeat_weight;
    if (!(score >= 0)) /* not a number: only in a damaged file */
        score = 0;
    const candidate c = {score, label};
    if (s->n_top == q->k && !better(&c, &s->top[q->k - 1]))
        return;
    uint32_t a = 0, b = s->n_top;
    while (a < b) {
        const uint32_t mid = a + (b - a) / 2;
        if (better(&s->top[mid], &c))
            a = mid + 1;
        else
            b = mid;
    }
    if (s->n_top < q->k)
        s->n_top++;
    memmove(&s->top[a + 1], &s->top[a], (s->n_top - 1 - a) * sizeof c);
    s->top[a] = c;
}

static bool sooner(const frontier_item *a, const frontier_item *b)
{
    return a->bound != b->bound ? a->bound > b->bound : a->node < b->node;
}

static int push(qac_scratch *s, frontier_item item)
{
    if (s->n_frontier == s->frontier_capacity) {
        const size_t capacity = s->frontier_capacity * 2;
        frontier_item *p = QAC_REALLOC(s->frontier, capacity * sizeof *p);
        if (!p)
            return QAC_ENOMEM;
        s->frontier = p;
        s->frontier_capacity = capacity;
    }
    s->frontier[s->n_frontier++] = item;
    return QAC_OK;
}

/* Binary heap, soonest at 0. */
static void sift_up(frontier_item *h, size_t i)
{
    const frontier_item x = h[i];
    for (size_t up; i && sooner(&x, &h[up = (i - 1) / 2]); i = up)
        h[i] = h[up];
    h[i] = x;
}

static frontier_item pop(qac_scratch *s)
{
    frontier_item *h = s->frontier;
    const frontier_item best = h[0], x = h[--s->n_frontier];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < s->n_frontier; i = child) {
        if (child + 1 < s->n_frontier && sooner(&h[child + 1], &h[child]))
            child++;
        if (!sooner(&h[child], &x))
            break;
        h[i] = h[child];
    }
    if (s->n_frontier)
        h[i] = x;
    return best;
}

/* ---- expansion ---- */

/* The choice at a node: children [first, last) with their masses in s->mass (0: does not match) and, where
 * s->is_touched, exp(z) in s->z. By hinge rankers all that match have mass 1 and their factor in s->z; mass and total are
 * 1, so that a child's share is that factor. */
typedef struct {
    uint32_t first, last, matching;
    double mass;   /* sum over children */
    double total;  /* sum of mass * exp(z) */
} choice;

/* By how much the ranker lifts a child. Chosen without a branch: which children it knows cannot be guessed. */
static inline double push_of(const qac_scratch *s, uint32_t child)
{
    const double by[] = {1, s->z[child]};
    return by[s->is_touched[child]];
}

/* Does the ranker decide? A hinge ranker also where the prefix leaves one child: its factor is not 1 for that. */
static bool has_choice(const search *q, const qac_node *node, const choice *w)
{
    return q->hinge ? node->n_children > 1 : w->matching > 1;
}

static void weigh_by_hinge(qac_scratch *s, choice *w)
{
    for (uint32_t c = w->first; c < w->last; c++) {
        if (!s->is_touched[c]) {
            s->is_touched[c] = 1;
            s->touched[s->n_touched++] = c;
        }
        s->mass[c] = s->mass[c] > 0;
        s->z[c] = qac_l3_hinge(s->z[c]);
    }
    w->mass = w->total = 1;
}

/* Mass of a child of an inner node: of its labels in range. */
static double ref_mass(const search *q, uint32_t ref)
{
    const uint32_t label = label_of(ref);
    if (!(ref & QAC_CHILD_LABEL))
        return node_mass(q, ref);
    return label >= q->from && label < q->to ? label_weight(&q->label_mass, label) : 0;
}

/* Fills the work space; forget_ranking ends its use. */
static choice weigh(const search *q, const qac_node *node)
{
    const qac_tree *t = &q->m->parts.tree;
    qac_scratch *s = q->s;
    choice w = {0};
    const label_weights label_mass = q->label_mass;
    eligible(q, node, &w.first, &w.last);
    if (!(node->flags & QAC_NODE_LEAF)) {
        for (uint32_t c = w.first; c < w.last; c++)
            s->mass[c] = ref_mass(q, t->children[node->child + c]);
    } else if (node->flags & QAC_NODE_CLUSTERED) { /* all of a leaf's are in range */
        for (uint32_t c = w.first; c < w.last; c++)
            s->mass[c] = label_weight(&label_mass, t->members[node->lo + c]);
    } else {
        for (uint32_t c = w.first; c < w.last; c++)
            s->mass[c] = label_weight(&label_mass, node->lo + c);
    }
    for (uint32_t c = w.first; c < w.last; c++) {
        w.mass += s->mass[c];
        w.matching += s->mass[c] > 0;
    }
    if (!q->by_mass && has_choice(q, node, &w))
        rank_children(q, node, w.first, w.last);
    if (q->hinge && node->n_children > 1) {
        weigh_by_hinge(s, &w);
        return w;
    }
    if (s->n_touched == 0) {
        w.total = w.mass;
        return w;
    }
    for (uint32_t i = 0; i < s->n_touched; i++)
        s->z[s->touched[i]] = qac_exp(s->z[s->touched[i]]);
    /* A sum of positive terms: correcting w.mass instead would cancel where all children are pushed down. */
    for (uint32_t c = w.first; c < w.last; c++)
        w.total += s->mass[c] * push_of(s, c);
    return w;
}

/* As published, all labels stand on one level, below the deepest clusters: a label or leaf met before stays in the beam, or
 * falls out of it, until nothing else is kept. */
static bool waits(const search *q, uint32_t ref)
{
    return q->filters && (ref & QAC_CHILD_LABEL || q->m->parts.tree.node[ref].flags & QAC_NODE_LEAF);
}

/* Turns a node into answers and frontier items. heap: keep the frontier a heap, for a best-first search. */
static int expand(const search *q, frontier_item item, bool heap)
{
    const qac_tree *t = &q->m->parts.tree;
    const qac_node *node = &t->node[item.node];
    qac_scratch *s = q->s;
    const choice w = weigh(q, node);
    if (item.lift == UNKNOWN_LIFT) {
        s->range_mass = w.mass;
        item.lift = w.mass > 0 ? 1 / w.mass : 0;
    }
    /* Untouched, the lift stays as it is, bit for bit: equal counts keep equal scores. */
    const double factor = s->n_touched == 0 ? item.lift : w.total > 0 ? item.lift * (w.mass / w.total) : 0;
    const bool holds_labels = !heap && q->filters && !(node->flags & QAC_NODE_LEAF);
    int status = QAC_OK;
    double least = threshold(q);
    for (uint32_t c = w.first; c < w.last && !status; c++) {
        const double lift = factor * push_of(s, c), probability = lift * s->mass[c];
        if (!(probability * SLACK >= least) || !(s->mass[c] > 0))
            continue;
        const uint32_t ref = child_ref(t, node, c);
        if (ref & QAC_CHILD_LABEL && !holds_labels) {
            offer(q, label_of(ref), probability);
            least = threshold(q);
            continue;
        }
        frontier_item x = {probability, lift, ref};
        if (heap && q->by_mass && lift * q->label_top[ref] < probability)
            x.bound = lift * q->label_top[ref];
        if (x.bound * SLACK >= least) {
            status = push(s, x);
            if (!status && heap)
                sift_up(s->frontier, s->n_frontier - 1);
        }
    }
    forget_ranking(s);
    return status;
}

static int best_first(const search *q, frontier_item root)
{
    int status = push(q->s, root);
    while (!status && q->s->n_frontier) {
        const frontier_item item = pop(q->s);
        if (item.bound * SLACK < threshold(q))
            break;
        status = expand(q, item, true);
    }
    return status;
}

static int by_probability(const void *a, const void *b)
{
    return sooner(a, b) ? -1 : sooner(b, a) ? 1 : 0;
}

/* Rounds: expand all nodes kept, keep the best `width` of what comes out. */
static int beam_search(const search *q, frontier_item root, uint32_t width)
{
    qac_scratch *s = q->s;
    int status = push(s, root);
    while (!status && s->n_frontier) {
        size_t n = s->n_frontier;
        if (n > width) {
            qsort(s->frontier, n, sizeof root, by_probability);
            n = s->n_frontier = width;
        }
        bool all_wait = true;
        for (size_t i = 0; i < n; i++)
            all_wait = all_wait && waits(q, s->frontier[i].node);
        for (size_t i = 0; i < n && !status; i++) { /* what is pushed stands behind the n of this round */
            const frontier_item item = s->frontier[i];
            if (!all_wait && waits(q, item.node))
                status = push(s, item);
            else if (item.node & QAC_CHILD_LABEL)
                offer(q, label_of(item.node), item.bound);
            else
                status = expand(q, item, false);
        }
        s->n_frontier -= n;
        memmove(s->frontier, s->frontier + n, s->n_frontier * sizeof root);
    }
    return status;
}

bool is_mixing(const qac_model *m, uint32_t options)
{
    return options & QAC_COMPOSE && m->parts.composer.word.order > 0 && m->parts.composer.share > 0;
}

bool is_popular(const qac_model *m, size_t session_len, uint32_t options)
{
    return session_len == 0 && !is_mixing(m, options);
}

int search_start(search *q, const qac_model *m, qac_scratch *s, const char *prefix, size_t prefix_len, const char *session,
                 size_t session_len, bool popular)
{
    const qac_parts *p = &m->parts;
    *q = (search){
        .m = m,
        .s = s,
        .repeated = QAC_NO_ID,
        .filters = p->filters && !popular,
        .hinge = p->loss == QAC_LOSS_HINGE && !popular,
        .label_mass = {p->count, popular ? NULL : p->length, p->length_factor},
        .member_mass = popular ? p->member_count : p->member_mass,
        .node_mass = popular ? p->node_count : NULL,
        .label_top = popular ? p->top_count : p->top_weight,
    };
    s->n_features = 0;
    if (!popular) {
        const int status = read_features(m, s, prefix, prefix_len, session, session_len);
        if (status)
            return status;
    }
    q->by_mass = s->n_features == 0 && !q->hinge;
    if (session_len && p->repeat_weight < 1) {
        size_t begin;
        const size_t len = last_text(session, session_len, &begin);
        if (len)
            q->repeated = qac_find_label(m, session + begin, len);
    }
    return QAC_OK;
}

void search_range(search *q, uint32_t lo, uint32_t hi)
{
    const qac_tree *t = &q->m->parts.tree;
    q->lo = lo;
    q->hi = hi;
    q->from = q->filters ? 0 : lo;
    q->to = q->filters ? t->labels : hi;
    q->root = 0;
    q->s->n_frontier = q->s->n_top = 0;
    q->s->range_mass = 0;
    if (lo == hi)
        return;
    /* Down to the first node with a choice: what is forced needs no ranking, and the mass of a wide range is there the
     * sum of few nodes. */
    while (!q->hinge) {
        const qac_node *node = &t->node[q->root];
        uint32_t first, last;
        eligible(q, node, &first, &last);
        const uint32_t ref = last - first == 1 ? child_ref(t, node, first) : QAC_CHILD_LABEL;
        if (ref & QAC_CHILD_LABEL)
            break;
        q->root = ref;
    }
}

int search_best(search *q, uint32_t k, uint32_t beam)
{
    qac_scratch *s = q->s;
    const frontier_item root = {1, UNKNOWN_LIFT, q->root};
    int status;
    q->k = k < q->hi - q->lo ? k : q->hi - q->lo;
    if (q->k == 0)
        return QAC_OK;
    for (;; beam *= 2) { /* a beam too narrow for k answers is widened, but for published decoding */
        s->n_top = 0;
        s->n_frontier = 0;
        status = beam ? beam_search(q, root, beam) : best_first(q, root);
        if (status || beam == 0 || q->filters || s->n_top == q->k || beam > q->m->parts.tree.nodes)
            break;
    }
    s->n_frontier = 0;
    return status;
}

/* The child's share of a node's probability, s->mass and s->z being those of `weigh`. */
static double share_of(const qac_scratch *s, const choice *w, uint32_t c)
{
    return w->total > 0 ? s->mass[c] * push_of(s, c) / w->total : 0;
}

/* ---- explanation ---- */

/* The child of `node` that holds `label`, or QAC_NO_ID. */
static uint32_t choice_of(const search *q, const qac_node *node, uint32_t first, uint32_t last, uint32_t label)
{
    const qac_tree *t = &q->m->parts.tree;
    for (uint32_t c = first; c < last; c++) {
        const uint32_t ref = child_ref(t, node, c);
        if (ref & QAC_CHILD_LABEL) {
            if (label_of(ref) == label)
                return c;
            continue;
        }
        const qac_node *n = &t->node[ref];
        if (n->flags & QAC_NODE_CLUSTERED) {
            const uint32_t at = qac_lower_bound(t->members, n->lo, n->hi, label);
            if (at < n->hi && t->members[at] == label)
                return c;
        } else if (label >= n->lo && label < n->hi) {
            return c;
        }
    }
    return QAC_NO_ID;
}

double search_label_probability(search *q, uint32_t label)
{
    const qac_tree *t = &q->m->parts.tree;
    double p = 1;
    for (uint32_t at = q->root; !(at & QAC_CHILD_LABEL);) {
        const qac_node *node = &t->node[at];
        const choice w = weigh(q, node);
        const uint32_t c = choice_of(q, node, w.first, w.last, label);
        p *= c == QAC_NO_ID ? 0 : share_of(q->s, &w, c);
        forget_ranking(q->s);
        if (c == QAC_NO_ID)
            return 0;
        at = child_ref(t, node, c);
    }
    return label == q->repeated ? p * q->m->parts.repeat_weight : p;
}

/* What the session's features push child c of a node by; at most `room`. Returns how many. */
static uint32_t pushes_of(const qac_parts *p, const qac_scratch *s, const qac_node *node, uint32_t c, qac_push *push,
                          uint32_t room)
{
    uint32_t n = 0;
    row_walk w = rows_of(&p->rows, node);
    for (uint32_t f = 0; f < s->n_features; f++) {
        const uint32_t block = row_block(&p->rows, node, s->features[f].id);
        for (uint32_t left = row_seek(&w, block, s->features[f].id); left; left--) {
            const row_entry e = row_read(&w);
            if (e.child == c && n < room)
                push[n++] = (qac_push){f, (float)(e.weight * (double)s->features[f].value * node->scale)};
        }
    }
    return n;
}

int qac_explain(const qac_model *m, qac_scratch *s, const char *prefix, size_t prefix_len, const char *session,
                size_t session_len, uint32_t options, uint32_t label, qac_feature *features, uint32_t *n_features,
                qac_step *steps, uint32_t max_steps, uint32_t *n_steps, qac_push *pushes, uint32_t max_pushes, uint32_t *n_pushes)
{
    const qac_parts *p = &m->parts;
    const qac_tree *t = &p->tree;
    search q;
    const int status = search_start(&q, m, s, prefix, prefix_len, session, session_len, is_popular(m, session_len, options));
    uint32_t lo, hi;
    *n_features = *n_steps = *n_pushes = 0;
    if (status)
        return status;
    qac_prefix_range(m, prefix, prefix_len, &lo, &hi);
    search_range(&q, lo, hi);
    if (label < q.lo || label >= q.hi)
        return QAC_EINVAL;
    memcpy(features, s->features, s->n_features * sizeof *features);
    *n_features = s->n_features;
    for (uint32_t at = 0; !(at & QAC_CHILD_LABEL) && *n_steps < max_steps;) {
        const qac_node *node = &t->node[at];
        const choice w = weigh(&q, node);
        const uint32_t c = choice_of(&q, node, w.first, w.last, label);
        if (c == QAC_NO_ID) {
            forget_ranking(s);
            return QAC_ECORRUPT;
        }
        qac_step step = {.node = at, .choice = c, .alternatives = w.matching, .push_begin = *n_pushes};
        step.prior = w.mass > 0 ? s->mass[c] / w.mass : 0;
        step.probability = share_of(s, &w, c);
        forget_ranking(s);
        if (has_choice(&q, node, &w))
            *n_pushes += pushes_of(p, s, node, c, pushes + *n_pushes, max_pushes - *n_pushes);
        step.push_end = *n_pushes;
        steps[(*n_steps)++] = step;
        at = child_ref(t, node, c);
    }
    return QAC_OK;
}

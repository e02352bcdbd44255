// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/ethernet/steering.h"

#include "connectx/ethernet/flow_key.h"
#include "connectx/ethernet/receivers.h"
#include "connectx/log.h"

enum {
    kToNext = 1,     // table_miss_action
    kMissTable = 1,  // what MODIFY_FLOW_TABLE changes: table_miss_id
    kMostDestinations = 64,
    kMostTables = 128,  // that one frame may pass, in all
    kReceiving = 0,     // table_type of what comes from the network
};

typedef struct {
    uint32_t start, end;  // indices of its entries
    FlowKey mask;
} Group;

typedef struct {
    FlowKey mask, value;
    unsigned action, count;
    struct {
        uint8_t type;
        uint32_t number;
    } destinations[kMostDestinations];
} Entry;

typedef struct {
    unsigned level, type;
    bool has_next;  // for what no entry takes
    uint32_t next;
    GHashTable* groups;  // by number
    GTree* entries;      // by index: the first that matches counts
} Table;

static gint compare(gconstpointer left, gconstpointer right, gpointer data) {
    const guint l = GPOINTER_TO_UINT(left), r = GPOINTER_TO_UINT(right);

    return l < r ? -1 : l > r;
}

void flow_table_free(void* opaque) {
    Table* table = opaque;

    g_hash_table_destroy(table->groups);
    g_tree_destroy(table->entries);
    g_free(table);
}

typedef struct {
    const FlowKey* key;
    const Entry* found;
} Search;

static gboolean matches(gpointer index, gpointer value, gpointer data) {
    const Entry* entry = value;
    Search* search = data;

    if (flow_key_matches(search->key, &entry->mask, &entry->value)) {
        search->found = entry;
    }
    return search->found != NULL;
}

// Tables that a frame still has to pass.
typedef struct {
    uint32_t numbers[kMostTables];
    unsigned next, end;
} Way;

static void go_to(Way* way, uint32_t number) {
    if (way->end < kMostTables) {
        way->numbers[way->end++] = number;
    }
}

void steering_receive(Connectx* nic, const uint8_t* frame, size_t size) {
    Way way = {.numbers = {nic->objects.root_table}, .end = 1};
    Headers headers;
    FlowKey key;

    if (!headers_parse(frame, size, &headers)) {
        return;
    }
    flow_key_make(frame, &headers, &key);
    while (way.next < way.end) {
        const Table* table = find_object(nic->objects.flow_tables, way.numbers[way.next++]);
        Search search = {.key = &key};

        if (!table) {
            continue;
        }
        g_tree_foreach(table->entries, matches, &search);
        if (!search.found) {
            if (table->has_next) {
                go_to(&way, table->next);
            }
            continue;
        }
        if (!(search.found->action & MLX5_FLOW_CONTEXT_ACTION_FWD_DEST)) {
            continue;
        }
        for (unsigned i = 0; i < search.found->count; i++) {
            const uint32_t number = search.found->destinations[i].number;

            if (search.found->destinations[i].type == MLX5_IFC_FLOW_DESTINATION_TYPE_FLOW_TABLE) {
                go_to(&way, number);
            } else {
                receiver_put(nic, number, frame, size, &headers);
            }
        }
    }
}

static void read_next(Table* table, const uint8_t* context) {
    table->has_next = IFC_GET(flow_table_context, context, table_miss_action) == kToNext;
    table->next = IFC_GET(flow_table_context, context, table_miss_id);
}

Status flow_table_create(Connectx* nic, Command* command) {
    const uint8_t* context = IFC_AT(create_flow_table_in, command->in, flow_table_context);
    const uint32_t number = ++nic->objects.next_number;
    Table* table = g_new0(Table, 1);

    table->type = IFC_GET(create_flow_table_in, command->in, table_type);
    table->level = IFC_GET(flow_table_context, context, level);
    table->groups = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    table->entries = g_tree_new_full(compare, NULL, NULL, g_free);
    read_next(table, context);
    add_object(nic->objects.flow_tables, number, table);
    command_answer_object(command, number);
    log_say(nic, "      flow table %#x: type %#x, level %u, then %#x", number, table->type,
            table->level, table->next);
    return kOk;
}

static Table* find(Connectx* nic, uint32_t number) {
    Table* table = find_object(nic->objects.flow_tables, number);

    if (!table) {
        log_violation(nic, "there is no flow table %#x", number);
    }
    return table;
}

Status flow_table_modify(Connectx* nic, Command* command) {
    Table* table = find(nic, IFC_GET(modify_flow_table_in, command->in, table_id));

    if (!table) {
        return kBadResource;
    }
    if (IFC_GET(modify_flow_table_in, command->in, modify_field_select) & kMissTable) {
        read_next(table, IFC_AT(modify_flow_table_in, command->in, flow_table_context));
    }
    return kOk;
}

Status flow_table_destroy(Connectx* nic, Command* command) {
    const uint32_t number = IFC_GET(destroy_flow_table_in, command->in, table_id);

    if (!find(nic, number)) {
        return kBadResource;
    }
    g_hash_table_remove(nic->objects.flow_tables, GUINT_TO_POINTER(number));
    return kOk;
}

Status flow_table_set_root(Connectx* nic, Command* command) {
    const uint32_t number = IFC_GET(set_flow_table_root_in, command->in, table_id);
    const Table* table = find(nic, number);

    if (!table) {
        return kBadResource;
    }
    if (table->type == kReceiving) {
        nic->objects.root_table = number;
    }
    return kOk;
}

Status flow_group_create(Connectx* nic, Command* command) {
    Table* table = find(nic, IFC_GET(create_flow_group_in, command->in, table_id));
    const uint32_t number = ++nic->objects.next_number;
    Group* group;

    if (!table) {
        return kBadResource;
    }
    group = g_new0(Group, 1);
    group->start = IFC_GET(create_flow_group_in, command->in, start_flow_index);
    group->end = IFC_GET(create_flow_group_in, command->in, end_flow_index);
    memcpy(group->mask.bytes, IFC_AT(create_flow_group_in, command->in, match_criteria),
           sizeof(group->mask.bytes));
    add_object(table->groups, number, group);
    IFC_SET(create_flow_group_out, command->out, group_id, number);
    return kOk;
}

Status flow_group_destroy(Connectx* nic, Command* command) {
    Table* table = find(nic, IFC_GET(destroy_flow_group_in, command->in, table_id));
    const uint32_t number = IFC_GET(destroy_flow_group_in, command->in, group_id);

    return table && g_hash_table_remove(table->groups, GUINT_TO_POINTER(number)) ? kOk
                                                                                 : kBadResource;
}

// Reads where an entry sends frames to.  False for what was not offered.
static bool read_destinations(Connectx* nic, const Command* command, const uint8_t* context,
                              Entry* entry) {
    const uint8_t* list = IFC_AT(flow_context, context, destination);

    entry->count = IFC_GET(flow_context, context, destination_list_size);
    if (entry->count > kMostDestinations ||
        entry->count * IFC_BYTES(dest_format_struct) > command_rest(command, list - command->in) ||
        IFC_GET(flow_context, context, extended_destination)) {
        log_violation(nic, "an entry with %u destinations", entry->count);
        return false;
    }
    for (unsigned i = 0; i < entry->count; i++, list += IFC_BYTES(dest_format_struct)) {
        const unsigned type = IFC_GET(dest_format_struct, list, destination_type);

        if (type != MLX5_IFC_FLOW_DESTINATION_TYPE_FLOW_TABLE &&
            type != MLX5_IFC_FLOW_DESTINATION_TYPE_TIR) {
            log_violation(nic, "an entry with a destination of type %u", type);
            return false;
        }
        entry->destinations[i].type = type;
        entry->destinations[i].number = IFC_GET(dest_format_struct, list, destination_id);
    }
    return true;
}

Status flow_entry_set(Connectx* nic, Command* command) {
    enum {
        kKnown = MLX5_FLOW_CONTEXT_ACTION_ALLOW | MLX5_FLOW_CONTEXT_ACTION_DROP |
                 MLX5_FLOW_CONTEXT_ACTION_FWD_DEST
    };
    const uint8_t* context = IFC_AT(set_fte_in, command->in, flow_context);
    const uint32_t index = IFC_GET(set_fte_in, command->in, flow_index);
    Table* table = find(nic, IFC_GET(set_fte_in, command->in, table_id));
    const Group* group;
    Entry* entry;

    if (!table) {
        return kBadResource;
    }
    group = find_object(table->groups, IFC_GET(flow_context, context, group_id));
    if (!group || index < group->start || index > group->end) {
        log_violation(nic, "entry %u in group %#x, which is not there, or has no place for it",
                      index, (unsigned)IFC_GET(flow_context, context, group_id));
        return kBadParameter;
    }
    entry = g_new0(Entry, 1);
    entry->action = IFC_GET(flow_context, context, action);
    entry->mask = group->mask;
    memcpy(entry->value.bytes, IFC_AT(flow_context, context, match_value),
           sizeof(entry->value.bytes));
    if (entry->action & ~kKnown || !read_destinations(nic, command, context, entry)) {
        log_violation(nic, "an entry with action %#x", entry->action);
        g_free(entry);
        return kBadParameter;
    }
    g_tree_replace(table->entries, GUINT_TO_POINTER(index), entry);
    return kOk;
}

Status flow_entry_delete(Connectx* nic, Command* command) {
    Table* table = find(nic, IFC_GET(delete_fte_in, command->in, table_id));
    const uint32_t index = IFC_GET(delete_fte_in, command->in, flow_index);

    return table && g_tree_remove(table->entries, GUINT_TO_POINTER(index)) ? kOk : kBadResource;
}

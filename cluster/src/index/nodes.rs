//! Node events.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;

use super::Index;
use crate::error::ObjectError;
use crate::node::NodeRow;

impl Index {
    /// Takes a node in, new or changed. `Ok(true)`: something that matters here changed.
    ///
    /// # Errors
    /// A node without a name or with an amount that can not be read; the index stays as it was.
    pub fn apply_node(&mut self, node: &Node) -> Result<bool, ObjectError> {
        let node = NodeRow::read(node, &mut self.resources);
        self.widen();
        let node = node?;
        self.node_list.name(&node.name);
        let Some(row) = self.state.row(&node.name) else {
            self.change();
            let row = self.take_row();
            Arc::make_mut(&mut self.state.row_by_name).insert(&node.name, row);
            self.fill_row(row, Some(node));
            return Ok(true);
        };
        if self.slots[row as usize].as_ref().is_some_and(|slot| *slot.node == node) {
            return Ok(false);
        }
        self.change();
        self.fill_row(row, Some(node));
        Ok(true)
    }

    /// Removes a node; its row is free for a later one. Its pods count again should it come back. True if it was there.
    pub fn delete_node(&mut self, name: &str) -> bool {
        let Some(row) = self.state.row(name) else { return false };
        self.change();
        Arc::make_mut(&mut self.state.row_by_name).remove(name);
        self.fill_row(row, None);
        self.free_rows.insert(row);
        true
    }

    /// Begins a complete list of the nodes: what is applied until [`Index::finish_nodes`] is all there is.
    pub fn begin_nodes(&mut self) {
        self.node_list.begin();
    }

    /// Ends a complete list: nodes that it did not name are gone. Without a list begun it does nothing.
    pub fn finish_nodes(&mut self) {
        if let Some(named) = self.node_list.finish() {
            let gone = self.state.row_by_name.names().filter(|name| !named.contains(*name)).map(str::to_owned);
            for name in gone.collect::<Vec<_>>() {
                self.delete_node(&name);
            }
        }
        self.note_lists();
    }

    /// Takes in a complete list of the nodes. Returns why some were refused.
    pub fn replace_nodes<'a>(&mut self, nodes: impl IntoIterator<Item = &'a Node>) -> Vec<ObjectError> {
        self.begin_nodes();
        let refused = nodes.into_iter().filter_map(|node| self.apply_node(node).err()).collect();
        self.finish_nodes();
        refused
    }
}

//! What the numbers in an [`Event`](super::Event) are called: one directory a snapshot.

use std::net::SocketAddr;

/// The names of a snapshot's networks, views, routes and upstream servers. Numbers are positions in these lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// Networks.
    pub networks: Vec<NetworkName>,
    /// Views.
    pub views: Vec<String>,
    /// Routes, by label.
    pub routes: Vec<String>,
    /// Upstream servers.
    pub servers: Vec<ServerName>,
    /// Region where a network names none.
    pub region: String,
    /// This node.
    pub node: String,
}

/// What a network is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkName {
    /// Its name.
    pub name: String,
    /// Its AWS account.
    pub account_id: Option<String>,
    /// Its VPC.
    pub vpc_id: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// Its groups.
    pub groups: Vec<String>,
}

/// What an upstream server is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerName {
    /// The name of its group.
    pub upstream: String,
    /// Its address.
    pub address: SocketAddr,
}

//! The tests of the lab, by what they prove.
//!
//! Cases that change nothing share one lab; those that break something build their own.

mod failover;
mod forwarding;
mod life;
mod manners;
mod observe;
mod promises;
mod reload;
mod views;

use std::sync::{Arc, Mutex, PoisonError};

use super::world::Lab;

/// One test.
pub struct Case {
    /// Its name, a sentence.
    pub name: &'static str,
    /// What it runs beside BIND.
    pub programs: &'static [&'static str],
    /// Panics if what its name says is not so.
    pub run: fn(),
}

const fn case(name: &'static str, run: fn()) -> Case {
    Case { name, programs: &[], run }
}

/// All of them. Those with a lab of their own are named first: they take longest.
pub const ALL: &[Case] = &[
    case(
        "failover::a_dead_controller_costs_no_client_an_answer",
        failover::a_dead_controller_costs_no_client_an_answer,
    ),
    case(
        "failover::the_backup_serves_when_both_primaries_are_dead",
        failover::the_backup_serves_when_both_primaries_are_dead,
    ),
    case("reload::a_changed_zone_is_served_after_sighup", reload::a_changed_zone_is_served_after_sighup),
    case(
        "reload::a_broken_reload_leaves_the_old_one_serving",
        reload::a_broken_reload_leaves_the_old_one_serving,
    ),
    case(
        "life::sigterm_answers_what_was_accepted_and_exits_0",
        life::sigterm_answers_what_was_accepted_and_exits_0,
    ),
    case("views::a_client_in_no_network_is_refused", views::a_client_in_no_network_is_refused),
    case("promises::the_peers_answer_without_us", promises::the_peers_answer_without_us),
    case("promises::the_table_finds_what_is_wrong", promises::the_table_finds_what_is_wrong),
    case("promises::every_row_of_queries_txt", promises::every_row_of_queries_txt),
    Case { programs: &["dig"], ..case("promises::dig_agrees", promises::dig_agrees) },
    case(
        "views::a_department_never_sees_another_ones_endpoints",
        views::a_department_never_sees_another_ones_endpoints,
    ),
    case(
        "views::split_view_answers_do_not_mix_in_the_caches",
        views::split_view_answers_do_not_mix_in_the_caches,
    ),
    case("views::the_internet_sees_only_technova_com", views::the_internet_sees_only_technova_com),
    case("forwarding::queries_are_shared_round_robin", forwarding::queries_are_shared_round_robin),
    case(
        "forwarding::a_cached_answer_is_asked_once_and_counts_down",
        forwarding::a_cached_answer_is_asked_once_and_counts_down,
    ),
    case(
        "forwarding::a_cached_negative_answer_counts_down_from_60",
        forwarding::a_cached_negative_answer_counts_down_from_60,
    ),
    case("forwarding::do_and_cd_reach_the_upstream", forwarding::do_and_cd_reach_the_upstream),
    case("forwarding::special_use_names_reach_no_upstream", forwarding::special_use_names_reach_no_upstream),
    case("manners::sixty_records_want_tcp", manners::sixty_records_want_tcp),
    case("manners::tcp_queries_may_be_pipelined", manners::tcp_queries_may_be_pipelined),
    case(
        "manners::odd_messages_are_answered_as_the_rfcs_say",
        manners::odd_messages_are_answered_as_the_rfcs_say,
    ),
    case("manners::what_is_no_query_is_met_with_silence", manners::what_is_no_query_is_met_with_silence),
    case("observe::every_query_is_one_line_of_the_log", observe::every_query_is_one_line_of_the_log),
    Case {
        programs: &["promtool"],
        ..case("observe::promtool_finds_no_fault", observe::promtool_finds_no_fault)
    },
    case("observe::the_metrics_count_what_was_done", observe::the_metrics_count_what_was_done),
];

/// The lab that read-only cases share, built by the first that wants it.
static SHARED: Mutex<Option<Arc<Lab>>> = Mutex::new(None);

fn shared() -> Arc<Lab> {
    // A poisoned lock says that building failed in another case; this one tries again and reports for itself.
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.get_or_insert_with(|| Arc::new(Lab::build())).clone()
}

/// Tears the shared lab down; statics are not dropped by themselves.
pub fn close_shared() {
    *SHARED.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

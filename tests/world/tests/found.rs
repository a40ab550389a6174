//! Worlds in which something broke once: each is a seed, named by what it showed. What it showed is mended, and has a test
//! of its own next to the mend; here the whole story is told again.

use world::{Plan, Weights, run};

/// Kinds of trouble that no world had when these were found.
const LATER: [&str; 27] = [
    "slide",
    "slide-unseen",
    "twin",
    "edit-backed-up",
    "impostor",
    "rebuilt",
    "secured",
    "forgetful",
    "misfit",
    "single",
    "forger",
    "loss",
    "heedless",
    "stop",
    "gap",
    "calm",
    "narrow",
    "said-twice",
    "pushed",
    "stranded",
    "edit-rolled-back",
    "late-start",
    "lossy",
    "busy",
    "slide-backed-up",
    "apply-part",
    "aimed",
];

fn nothing_breaks(seed: u64, devices: usize, without: &[&str], with: &[(&str, u64)]) {
    let mut weights = Weights::default();
    let mut told = String::new();
    for (name, weight) in without.iter().map(|name| (*name, 0)).chain(with.iter().copied()) {
        assert_eq!(weights.set(name, weight), Ok(()));
        told += &format!(" --weight {name}={weight}");
    }
    let verdict = run(&Plan::of(seed, devices, &weights), false);
    assert_eq!(verdict.violation, None, "cargo xtask world --seed {seed} --devices {devices}{told} --trace");
}

macro_rules! found {
    (without $without:expr; $($found:tt)*) => { found! { without $without, with []; $($found)* } };
    (without $without:expr, with $with:expr; $($name:ident: $seed:literal of $devices:literal;)*) => {
        $(#[test]
        fn $name() {
            nothing_breaks($seed, $devices, &$without, &$with);
        })*
    };
}

found! {
    without LATER;
    an_operation_that_anothers_took_the_place_of_was_begun_again_under_its_id: 539 of 1;
    a_stall_was_told_with_a_length_that_no_log_leads_to: 2080 of 1;
    a_conversion_that_was_damaged_on_its_way_was_restored: 832 of 5;
    the_silence_after_a_full_disk_did_not_follow_from_the_log: 1872 of 5;
    a_set_that_came_late_began_an_operation_once_more: 2887 of 5;
    a_device_that_took_the_loaded_software_by_itself_was_left_on_it: 10597 of 5;
    a_device_that_took_the_loaded_software_while_an_operator_was_asked_was_left_on_it: 1795284467004757 of 5;
    what_a_person_had_just_changed_was_restored_over: 1001433 of 5;
    when_an_operation_had_moved_last_did_not_follow_from_the_log: 3035900 of 5;
    what_a_person_had_changed_right_before_a_roll_back_was_restored_over: 5068888 of 5;
    a_version_and_a_revision_that_were_seen_at_two_moments_let_the_old_software_be_written_to: 9014424 of 5;
    digests_that_were_seen_before_the_end_of_an_operation_let_a_damaged_conversion_pass: 11024600 of 5;
    a_command_to_take_no_calls_that_came_late_left_them_out_for_good: 9979 of 5;
    a_command_that_arrived_after_a_cancel_left_the_new_software_on_its_device: 1795301818001029 of 5;
    a_roll_back_that_never_began_on_a_silent_device_was_asked_about_as_if_it_were_heard: 1795302696005295 of 5;
    what_a_lost_device_was_left_with_did_not_follow_from_the_log: 29644 of 5;
    a_restore_of_what_was_there_already_was_taken_back_although_it_never_began: 1795309442008621 of 5;
    a_command_that_arrived_after_another_came_in_between_was_carried_out_after_the_end: 1795310082004310 of 5;
    a_command_to_take_no_calls_that_came_once_more_after_the_end_left_them_out_for_good: 1795311486000027 of 5;
    who_had_cancelled_a_run_could_not_give_its_device_up: 1795312183015754 of 5;
    a_ticket_that_was_used_up_was_opened_again: 1795318642017823 of 5;
    an_activation_that_was_never_commanded_was_taken_for_one: 1795315901005032 of 5;
    settings_changed_before_a_device_left_its_software_by_itself_were_restored_over: 5005582 of 5;
    what_slid_back_to_software_that_had_its_settings_was_asked_about: 1795330500007609 of 5;
    nobody_looked_at_a_device_that_was_long_not_heard_before_a_question: 4005057 of 5;
    a_device_that_left_its_software_while_a_question_was_open_was_left_there_by_the_end: 1795333245007309 of 5;
    a_device_that_another_manager_had_reset_was_upgraded_from_what_it_slid_to: 910017866 of 5;
    settings_changed_on_trial_were_taken_for_an_earlier_drift: 920012184 of 5;
    what_was_changed_before_it_slid_to_software_that_had_its_settings_was_written_over: 950053568 of 5;
    a_device_that_slid_while_calls_were_let_in_was_backed_up_on_the_way_back: 970055351 of 5;
    settings_found_as_new_software_came_up_were_restored_over: 910021869 of 5;
}

found! {
    without ["secured", "forgetful", "misfit", "single", "forger", "loss", "heedless", "stop", "gap", "calm", "narrow", "said-twice", "pushed", "stranded", "edit-rolled-back", "late-start", "lossy", "busy", "slide-backed-up", "apply-part", "aimed"];
    what_a_person_changed_before_a_device_rolled_back_by_itself_stayed_behind: 20261122159189 of 5;
}

found! {
    without ["misfit", "single", "forger", "loss", "heedless", "stop", "gap", "calm", "narrow", "said-twice", "pushed", "stranded", "edit-rolled-back", "late-start", "lossy", "busy", "slide-backed-up", "apply-part", "aimed"];
    a_report_on_one_copy_of_a_command_was_taken_for_its_refusal: 1795973491054829 of 5;
    what_was_changed_after_it_was_restored_elsewhere_was_written_over: 1795974292064415 of 5;
}

found! {
    without ["pushed", "stranded", "edit-rolled-back", "late-start", "lossy", "busy", "slide-backed-up", "apply-part", "aimed"];
    what_a_person_changed_on_software_that_a_device_took_and_left_by_itself_was_missed_once_others_loaded_over_it:
        1796053359013445 of 5;
    a_roll_back_was_taken_for_what_had_been_stopped_before_it: 1796057908015128 of 5;
}

found! {
    without ["stranded", "edit-rolled-back", "late-start", "lossy", "busy", "aimed"];
    what_a_person_changed_on_what_others_tried_was_missed_once_it_was_changed_again: 1796068070002529 of 5;
    settings_that_moved_while_others_made_the_loaded_software_run_were_to_be_backed_up_before_it_was_brought_back:
        1796068184001306 of 5;
    what_others_tried_was_to_be_taken_from_them_since_a_late_backup_had_failed_there: 1796070188020051 of 5;
    nobody_was_told_why_a_device_was_brought_back_as_calls_were_let_in: 1796071077000004 of 5;
    what_a_device_sent_once_its_trial_was_over_was_taken_for_what_was_changed_on_it: 1796071697000531 of 5;
}

found! {
    without [], with [];
    what_others_tried_fell_back_between_the_last_look_and_the_end: 1796082826053494 of 5;
    a_device_was_seen_where_it_had_been_before_its_roll_back_led_away: 1796085215022928 of 5;
    what_came_of_what_others_tried_was_listed_under_the_software_on_trial: 1796086323001562 of 5;
    what_a_cancelled_restore_had_applied_since_was_taken_for_undone: 1796093700031462 of 5;
    who_had_a_device_reset_that_others_had_on_trial_was_not_told_so: 1796095221024703 of 5;
    what_was_changed_before_a_restore_that_nobody_knows_to_have_begun_was_to_stay: 1796095636028585 of 5;
    what_others_tried_fell_back_as_it_was_looked_at_before_a_repeat: 1796095956000232 of 5;
    what_came_of_software_that_others_had_it_try_was_not_kept: 1796096396083954 of 5;
    what_was_changed_before_others_made_another_image_run_was_restored_over: 1796096970082711 of 5;
    files_that_had_come_were_missed_while_a_look_was_awaited: 1796094700046490 of 5;
    what_a_failed_activation_had_found_changed_was_still_watched_once_it_was_begun_anew: 1796080177002139 of 5;
}

found! {
    without [], with [("aimed", 300)];
    what_others_tried_was_left_to_them_and_fell_back_before_anybody_was_asked: 1796081443001514 of 5;
}

#[test]
fn the_same_seed_tells_the_same_story_to_the_byte() {
    let plan = Plan::of(7, 5, &Weights::default());
    let (one, other) = (run(&plan, true), run(&plan, true));
    assert!(one.story.len() > 100, "{} lines", one.story.len());
    assert_eq!(one.story, other.story);
    let another = run(&Plan::of(8, 5, &Weights::default()), true);
    assert_ne!(one.story, another.story);
}

#[test]
fn a_trouble_that_is_switched_off_leaves_all_others_as_they_are() {
    let mut weights = Weights::default();
    let told = |plan: &Plan| plan.troubles.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>();
    for seed in 0..50 {
        let all = told(&Plan::of(seed, 5, &weights));
        let mut fewer = Weights::default();
        fewer.set("partition", 0).unwrap();
        let expected: Vec<_> = all.into_iter().filter(|one| !one.starts_with("Partition")).collect();
        assert_eq!(told(&Plan::of(seed, 5, &fewer)), expected, "seed {seed}");
    }
    assert!(weights.set("partitions", 0).is_err(), "no trouble has this name");
}

use super::*;

const USER: u32 = 1000;

fn host(may_map: bool) -> Host {
    Host { uid: USER, gid: USER, may_map, ..Host::default() }
}

fn checked(mut spec: Spec) -> Spec {
    spec.check().unwrap();
    spec
}

fn steps_of(change: impl FnOnce(&mut Spec), host: &Host) -> Vec<(Side, Step)> {
    let mut spec = Spec { expressions: vec![c"true".to_owned()], ..Spec::default() };
    change(&mut spec);
    plan(&checked(spec), host).unwrap().steps
}

#[test]
fn an_ordinary_user_is_mapped_to_root_with_setgroups_denied() {
    let steps = steps_of(|spec| spec.namespaces.add(Namespace::User), &host(false));
    let map = IdMap(vec![Extent::one(0, USER)]);
    assert_eq!(
        steps,
        [
            (Side::Parent, Step::DenySetgroups),
            (Side::Parent, Step::WriteUidMap(map.clone())),
            (Side::Parent, Step::WriteGidMap(map)),
            (Side::Payload, Step::SetNoNewPrivs),
            (Side::Payload, Step::Execute),
        ]
    );
}

#[test]
fn root_need_not_deny_setgroups() {
    let steps = steps_of(|spec| spec.namespaces.add(Namespace::User), &host(true));
    assert!(!steps.contains(&(Side::Parent, Step::DenySetgroups)));
}

#[test]
fn an_ordinary_user_maps_more_than_itself_through_newuidmap() {
    let steps =
        steps_of(|spec| spec.map_users.push(Extent { inner: 0, outer: 5, count: 9 }), &host(false));
    assert!(matches!(steps[1], (Side::Parent, Step::RunNewuidmap(_))), "{steps:?}");
    assert!(matches!(steps[2], (Side::Parent, Step::WriteGidMap(_))), "{steps:?}");
    let become_root =
        Step::SetIds { uid: Some(0), gid: None, clear_groups: false, keeps_capabilities: false };
    assert_eq!(steps[3], (Side::Child, become_root));
}

#[test]
fn map_auto_puts_the_subordinate_ids_behind_the_callers() {
    let mut host = host(false);
    host.subordinate_uids = vec![(100_000, 10), (300_000, 5)];
    host.subordinate_gids = vec![(200_000, 10)];
    let steps = steps_of(|spec| spec.map = Some(MapChoice::Auto), &host);
    let Some((_, Step::RunNewuidmap(map))) = steps.first() else { panic!("{steps:?}") };
    assert_eq!(map.shown(), "0 1000 1, 1 100000 10, 11 300000 5");
}

#[test]
fn an_id_that_is_not_mapped_is_refused() {
    let spec = Spec {
        expressions: vec![c"true".to_owned()],
        uid: Some(5),
        map: Some(MapChoice::Root),
        ..Spec::default()
    };
    let error = plan(&checked(spec), &host(true)).err().unwrap();
    assert!(error.message().contains("--uid 5"), "{}", error.message());
}

#[test]
fn clock_offsets_keep_the_child_from_being_cloned_into_the_namespace() {
    let mut spec = Spec { expressions: vec![c"true".to_owned()], ..Spec::default() };
    spec.monotonic = Some(5);
    let plan = plan(&checked(spec), &host(true)).unwrap();
    assert!(!plan.namespaces.has(Namespace::Time));
    let offsets = Step::SetTimeOffsets { monotonic: 5, boottime: 0 };
    assert_eq!(plan.steps.first(), Some(&(Side::Child, offsets)));
}

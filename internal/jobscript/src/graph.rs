//! Do tasks wait for each other?

/// Tasks that wait for each other in a circle, each followed by one it depends on; the first is repeated at the
/// end. `None` when the tasks can be done in some order. `tasks` has the dependencies of each.
pub(crate) fn find_cycle(tasks: &[Vec<usize>]) -> Option<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        OnPath,
        Done,
    }
    let mut states = vec![State::New; tasks.len()];
    for start in 0..tasks.len() {
        if states[start] != State::New {
            continue;
        }
        // A path of tasks, each with the number of its dependencies already followed. Not recursive: a chain of
        // dependencies may be as long as the job.
        let mut path = vec![(start, 0)];
        states[start] = State::OnPath;
        while let Some((task, followed)) = path.last_mut() {
            let Some(&next) = tasks[*task].get(*followed) else {
                states[*task] = State::Done;
                path.pop();
                continue;
            };
            *followed += 1;
            match states[next] {
                State::Done => {}
                State::New => {
                    states[next] = State::OnPath;
                    path.push((next, 0));
                }
                State::OnPath => {
                    let circle = path.iter().map(|&(task, _)| task).skip_while(|&task| task != next);
                    return Some(circle.chain(std::iter::once(next)).collect());
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycle(dependencies: &[&[usize]]) -> Option<Vec<usize>> {
        find_cycle(&dependencies.iter().map(|of_task| of_task.to_vec()).collect::<Vec<_>>())
    }

    #[test]
    fn cycles_are_found_and_named() {
        type Case = (&'static [&'static [usize]], Option<&'static [usize]>);
        let cases: &[Case] = &[
            (&[], None),
            (&[&[]], None),
            (&[&[0]], Some(&[0, 0])),
            (&[&[1], &[0]], Some(&[0, 1, 0])),
            (&[&[1, 2], &[2], &[]], None),
            (&[&[1], &[2], &[3], &[1]], Some(&[1, 2, 3, 1])),
            (&[&[], &[0], &[1, 0], &[2, 4], &[3]], Some(&[3, 4, 3])),
        ];
        for (dependencies, expected) in cases {
            assert_eq!(cycle(dependencies).as_deref(), *expected, "{dependencies:?}");
        }
    }

    #[test]
    fn a_long_chain_is_no_problem() {
        let chain: Vec<Vec<usize>> =
            (0..200_000).map(|index| if index == 0 { vec![] } else { vec![index - 1] }).collect();
        let chain: Vec<&[usize]> = chain.iter().rev().map(Vec::as_slice).collect();
        // Reversed, the numbers point the wrong way around, and the middle of the chain meets itself.
        assert!(cycle(&chain).is_some());
        let forward: Vec<Vec<usize>> =
            (0..200_000).map(|index| if index == 199_999 { vec![] } else { vec![index + 1] }).collect();
        let forward: Vec<&[usize]> = forward.iter().map(Vec::as_slice).collect();
        assert_eq!(cycle(&forward), None);
    }
}

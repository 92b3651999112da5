// What whoever looks at the page may do, as the daemon says it. Until it has said so, everything is offered.

const rights = { operate: true, administer: true, allPrograms: true };

// `you` of the daemon.
export function learn(you) {
  if (you) {
    rights.operate = you.role !== 'viewer';
    rights.administer = you.role === 'admin' && you.all_programs;
    rights.allPrograms = you.all_programs;
  }
}

// Whether programs may be started, stopped and signalled, and their logs cleared.
export const mayOperate = () => rights.operate;

// Whether the configuration may be applied, and the daemon ended.
export const mayAdminister = () => rights.administer;

// Whether what is about the daemon as a whole may be read.
export const seesAllPrograms = () => rights.allPrograms;

/** Credit: how a judge's words and silence change it, and what weight it gives. Pure. Specification §19. */
import { LIMITS } from '#protocol/limits.ts';

/** What happened to a member's credit. */
export type CreditEvent = 'in-verdict' | 'right' | 'wrong' | 'silent' | 'own-evidence' | 'contradicted';

/** Whole numbers, rounded so that no gain or loss is lost. @param credit 0 to `creditMax` */
export function changedCredit(credit: number, event: CreditEvent): number {
  switch (event) {
    case 'in-verdict':
      return credit + shareOf(LIMITS.creditMax - credit, LIMITS.creditGainSmall);
    case 'right':
      return credit + shareOf(LIMITS.creditMax - credit, LIMITS.creditGain);
    case 'wrong':
      return credit - shareOf(credit, LIMITS.creditLoss);
    case 'silent':
      return credit - shareOf(credit, LIMITS.creditOmission);
    case 'own-evidence':
      return Math.max(credit, Math.min(credit + LIMITS.creditOwn, LIMITS.creditToJudge));
    case 'contradicted':
      return 0;
  }
}

/** Of a judge that is drawn; 0 for one that may not judge. */
export function weightOf(credit: number): number {
  if (credit < LIMITS.creditToJudge) return 0;
  return Math.min(1 + Math.floor(credit / LIMITS.creditOfWeight), LIMITS.weightMax);
}

function shareOf(amount: number, divisor: number): number {
  return Math.ceil(amount / divisor);
}

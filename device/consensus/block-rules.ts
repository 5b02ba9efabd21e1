/** Which block may follow another. Pure. Specification §11.1-11.2, §12. */

export type BlockRefusal =
  | 'other-network'
  | 'other-height'
  | 'other-parent'
  | 'no-seat'
  | 'draw-too-early'
  | 'draw-wrong'
  | 'time-too-early'
  | 'certificates-go-back'
  | 'transactions-differ'
  | 'transaction-refused'
  | 'state-differs';

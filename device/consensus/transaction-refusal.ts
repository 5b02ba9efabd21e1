/** Why a transaction can't stand in a block. Pure. Specification §11.3. */

export type TransactionRefusal = 'malformed';

/**
 * One box in the hand of its device: what is sensed of it and what it says, brought to the machine of its state, and what follows
 * from that for its runs. Specification §17.1-17.5. It decides by the pure rooms beside it; its host gives it time and wires.
 */
import type { Hello, Report, SoftwareState } from '#protocol/box-messages.ts';
import { LIMITS } from '#protocol/limits.ts';
import { isSameKeys } from '#protocol/measured-box/box-tpm.ts';
import type { RunEnergy } from '#protocol/run-energy.ts';
import { harmless } from '#protocol/schema.ts';
import { softwareChanges } from '#protocol/software-state.ts';
import type { BoxHardware, HardwareChange, PowerOutcome, PowerState, PowerVerb, Reading, SensorDefinition } from '../board/ports.ts';
import type { Clock, Log, Random } from '../ports.ts';
import { mayBeAnswered, nextMoment, type Asked } from './asked.ts';
import { mayBeSwitchedOn, mayTakeWork, newBox, stepBox, wantsEvidence, type BoxEvent, type BoxStanding } from './box-state.ts';
import { answersWhileOff, idleAtWork, keptBoot, upTooLong, type PowerLevels } from './contradiction.ts';
import { isPressDue, pressed, staysOn, UNPRESSED, wentOff } from './keep-on.ts';
import { CONTROL_LIMITS } from './limits.ts';
import type { TripNews } from './limits-trip.ts';
import type { MeterMemory } from './meter-memory.ts';
import { actionOn, DISPUTED_BY, type Alarm, type Policy } from './policy.ts';
import type { BoxFitness, Challenged, JobsOfBoxes, NamedBox, RunAtWork } from './ports.ts';
import { RunMeters } from './run-meters.ts';
import { SensorTrips } from './sensor-trips.ts';

export interface HeldBoxParts extends NamedBox {
  /** Its owner wants it on. */
  readonly keepOn: boolean;
  readonly policy: Policy;
  readonly levels: PowerLevels;
  /** More than these it does not have, whatever it says. */
  readonly processorsMax: number;
  readonly meters: MeterMemory;
  readonly jobs: JobsOfBoxes;
  readonly now: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly changed: (box: HeldBox, before: BoxStanding) => void;
}

export class HeldBox implements NamedBox {
  readonly name: string;
  readonly signingKey: Uint8Array;
  readonly #parts: HeldBoxParts;
  readonly #meters: RunMeters;
  readonly #trips: SensorTrips;
  #standing: BoxStanding;
  #hardware: BoxHardware | undefined;
  #problem: string | undefined;
  readonly #readings = new Map<string, Reading>();
  #heardAtMs: number;
  #silenceSaid = false;
  #sensed: { readonly power: PowerState; readonly sinceMs: number };
  #keepOn = UNPRESSED;
  /** What is being done to its power, in words. */
  #busy: string | undefined;
  #isPowerOffOwed = false;
  #poweredOnAtMs: number | undefined;
  #bootBefore: string | undefined;
  #hello: Hello | undefined;
  #attested: SoftwareState | undefined;
  /** As the present boot was first attested: a box may not have more of them when it is asked what they did. */
  #processors: number | undefined;
  #asked: Asked | undefined;
  /** When it is asked again, though nothing has happened. */
  #askAgainAtMs = 0;

  /** @param remembered where it stood when the program last ended, if something stood against it */
  constructor(parts: HeldBoxParts, remembered?: BoxStanding) {
    const atMs = parts.now();
    this.name = parts.name;
    this.signingKey = parts.signingKey;
    this.#parts = parts;
    this.#standing = remembered ?? newBox(atMs);
    this.#heardAtMs = atMs;
    this.#sensed = { power: 'unknown', sinceMs: atMs };
    this.#meters = new RunMeters(parts.levels, parts.meters);
    this.#trips = new SensorTrips(this.#standing.standing);
  }

  get standing(): BoxStanding {
    return this.#standing;
  }

  get hardware(): BoxHardware | undefined {
    return this.#hardware;
  }

  /** Why the way to it that the configuration names is not open. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Why its power can't be switched now. */
  get busy(): string | undefined {
    return this.#busy;
  }

  /** The last of each sensor. */
  get readings(): ReadonlyMap<string, Reading> {
    return this.#readings;
  }

  fitness(): BoxFitness {
    const { state } = this.#standing;
    if (state === 'suspect' || state === 'fenced') return state === 'fenced' ? 'fenced' : 'held';
    return mayTakeWork(this.#standing) ? 'ready' : 'waiting';
  }

  /** The wires to it are there; what was sensed before counts no more. */
  wired(hardware: BoxHardware): void {
    this.#hardware = hardware;
    this.#problem = undefined;
    this.#readings.clear();
    this.#meters.wired(hardware);
    this.#powerSensed(hardware.powerState(), this.#parts.now());
  }

  notWired(problem: string): void {
    this.#problem = problem;
  }

  /** One try to open the way to it has failed. */
  notOpened(problem: string): void {
    this.#problem = problem;
    this.#hear(this.#trips.unopened(problem, this.#parts.now()));
  }

  sensed(change: HardwareChange): void {
    if (change.kind === 'power') return this.#powerSensed(change.state, change.atMs);
    if (change.kind !== 'reading') return;
    const definition = this.#definitionOf(change.reading);
    if (definition && !this.#isLate(change.reading, definition)) this.#take(change.reading, definition);
  }

  /** A reading of a sample. @returns whether it counts: the last one again, of a sensor that is slower than the samples, does not */
  read(reading: Reading): boolean {
    const definition = this.#definitionOf(reading);
    if (!definition || this.#readings.get(reading.sensor)?.atMs === reading.atMs || this.#isLate(reading, definition)) return false;
    this.#take(reading, definition);
    return true;
  }

  #definitionOf({ sensor }: Reading): SensorDefinition | undefined {
    return this.#hardware?.sensors.find(({ name }) => name === sensor);
  }

  /** An edge has told since what this sample has not seen: a shut door is not opened again by it. A clock that was set back makes none. */
  #isLate({ sensor, atMs }: Reading, { periodMs }: SensorDefinition): boolean {
    const byMs = (this.#readings.get(sensor)?.atMs ?? atMs) - atMs;
    return byMs > 0 && byMs < CONTROL_LIMITS.gapPeriods * periodMs;
  }

  #take(reading: Reading, definition: SensorDefinition): void {
    this.#readings.set(reading.sensor, reading);
    this.#meters.read(reading, mayTakeWork(this.#standing));
    this.#hear(this.#trips.read(reading, definition, this.#sensed.power));
  }

  #hear(trips: readonly TripNews[]): void {
    for (const news of trips)
      if (news.type === 'raised') this.#alarm(news.alarm, news.about, news.detail);
      else this.#over(news.alarm, news.about);
  }

  heard(): void {
    const atMs = this.#parts.now();
    this.#heardAtMs = atMs;
    this.#silenceSaid = false;
    this.#contradiction('answers-while-off', answersWhileOff(this.#sensed, atMs));
  }

  introduced(hello: Hello): void {
    const { bootId } = hello.software;
    this.#lookAtBoot(bootId, hello.uptimeS);
    const changed = this.#attested ? [...softwareChanges(this.#attested, hello.software), ...machineChanges(this.#hello, hello)] : [];
    if (changed.length > 0) this.#changed(changed, bootId);
    this.#hello = hello;
    this.#apply({ type: 'hello' });
    this.askEvidence();
  }

  challengeOf(run: string): Challenged | undefined {
    return this.#asked?.run === run ? this.#asked.challenged : undefined;
  }

  attested(run: string, software: SoftwareState): void {
    const challenged = this.challengeOf(run);
    if (!challenged) return;
    this.#asked = undefined;
    if (this.#attested?.bootId !== software.bootId) this.#processors = this.#hello?.processors;
    this.#attested = software;
    this.#askAgainAtMs = nextMoment(this.#parts.now(), this.#parts.random);
    this.#apply({ type: 'evidence', askedAtMs: challenged.issuedAtMs });
  }

  refused(detail: string): void {
    this.#asked = undefined;
    this.#alarm('evidence-refused', '', detail);
  }

  runsChanged(runs: readonly RunAtWork[]): void {
    this.#meters.runsChanged(runs);
    this.#apply({ type: 'runs', runs: runs.length });
  }

  energyOf(run: string): RunEnergy | undefined {
    return this.#meters.close(run, this.#parts.now());
  }

  reported({ usage: { wallMs, cpuMs } }: Report, energy: RunEnergy | undefined): void {
    if (!energy || this.#processors === undefined) return;
    const processors = Math.min(this.#processors, this.#parts.processorsMax);
    this.#contradiction('idle-at-work', idleAtWork({ energy, wallMs, cpuMs, processors, levels: this.#meters.levels() }));
  }

  switchOrdered(power: 'on' | 'off'): void {
    this.#apply({ type: 'switch', power });
  }

  /**
   * One order at a time: to be called only while it is not `busy`.
   * @param by who wants it, in words. @param begun told when it is not refused
   */
  async power(hardware: BoxHardware, verb: PowerVerb, by: string, begun?: () => void): Promise<PowerOutcome> {
    this.#busy = `${verb} of box ${this.name} by ${by} is under way; ask again when it is done`;
    const outcome = await hardware.power(verb, begun);
    this.#busy = undefined;
    return outcome;
  }

  fence(by: string): void {
    this.#apply({ type: 'fence', by });
  }

  release(by: string): void {
    for (const { alarm, about } of this.#standing.standing)
      if (alarm !== 'operator' && about !== '' && this.#trips.isUnsensed(alarm, about, this.#hardware))
        this.#apply({ type: 'over', alarm, about });
    this.#isPowerOffOwed = false;
    this.#apply({ type: 'release', by });
    this.askEvidence();
  }

  /** @param standstillMs for how long the device itself stood still until now */
  timePassed(standstillMs: number): void {
    this.#heardAtMs += standstillMs;
    const silentMs = this.#parts.now() - this.#heardAtMs;
    if (this.#standing.runs > 0 && silentMs > CONTROL_LIMITS.silenceAtWorkMs) this.#silentAtWork(silentMs);
    if (silentMs > CONTROL_LIMITS.silenceMs) this.#apply({ type: 'silence' });
    else this.askEvidence();
    // The disk may not have taken their end.
    if (this.#standing.state === 'fenced' && this.#standing.runs > 0) this.#endRuns('all');
    this.#lookAtPowerOff();
    this.#lookAtKeepOn();
    const atMs = this.#parts.now();
    for (const { run, ...power } of this.#meters.powerNow(atMs)) this.#parts.jobs.powerNow(run, power);
    this.#meters.keep(atMs);
  }

  /** What it is judged by is another: it is asked as soon as it rests. */
  askNow(): void {
    this.#askAgainAtMs = 0;
    this.askEvidence();
  }

  /** The same challenge again for a while: a TPM and its logs take their time. */
  askEvidence(): void {
    const { now, random, jobs } = this.#parts;
    const atMs = now();
    const isDue = this.#standing.state === 'ready' && atMs >= this.#askAgainAtMs;
    if (!this.#hello || !(wantsEvidence(this.#standing) || isDue)) return;
    const open = this.#asked && mayBeAnswered(this.#asked, this.#standing.evidenceFromMs, atMs) ? this.#asked : undefined;
    if (open && atMs - open.saidAtMs < CONTROL_LIMITS.evidenceAskedEveryMs) return;
    const asked = open ?? { run: `${random(16).toHex()}.1`, challenged: { nonce: random(32), issuedAtMs: atMs } };
    this.#asked = { ...asked, saidAtMs: atMs };
    jobs.challenge(this.name, asked.run, asked.challenged);
  }

  #powerSensed(power: PowerState, atMs: number): void {
    if (power === this.#sensed.power) return;
    const before = this.#sensed.power;
    this.#sensed = { power, sinceMs: atMs };
    if (before !== 'unknown' && power !== 'on') this.#keepOn = wentOff(this.#keepOn, atMs);
    if (power === 'off') this.#bootBefore = this.#hello?.software.bootId;
    if (power === 'on' && before === 'off') this.#poweredOnAtMs = atMs;
    if (power === 'off' && this.#standing.runs > 0) {
      const detail = 'its power was sensed off while it had a run';
      this.#alarm('power-lost', '', detail);
      this.#parts.jobs.endRuns(this.name, 'all', 'box-lost', detail);
    }
    this.#apply({ type: 'power', power });
  }

  #lookAtBoot(bootId: string, uptimeS: number | undefined): void {
    const source = this.#hardware?.source;
    if (source === undefined) return;
    const poweredOnAtMs = this.#poweredOnAtMs;
    const seen = {
      source,
      ...(poweredOnAtMs === undefined ? {} : { poweredOnAtMs }),
      ...(this.#bootBefore === undefined ? {} : { bootBefore: this.#bootBefore }),
    };
    this.#contradiction('kept-boot', keptBoot(seen, bootId));
    this.#contradiction('uptime', upTooLong(seen, uptimeS, this.#parts.now()));
  }

  /** Between runs a box may be maintained: it says anew what it is. During one it may only start anew, which ends the run. */
  #changed(changes: readonly string[], bootId: string): void {
    const detail = `its hello names another ${changes.join(', ')} than its evidence did`;
    if (this.#standing.runs > 0 && this.#attested?.bootId === bootId) this.refused(`during a run ${detail}`);
    this.#apply({ type: 'changed', detail });
  }

  #silentAtWork(silentMs: number): void {
    if (this.#silenceSaid) return;
    this.#silenceSaid = true;
    this.#alarm('silent-at-work', '', `nothing was heard of it for ${Math.round(silentMs / 1_000)} s while it had a run`);
  }

  #contradiction(about: string, detail: string | undefined): void {
    if (detail !== undefined && !this.#isKnown(about)) this.#alarm('contradiction', about, detail);
  }

  #isKnown(contradiction: string): boolean {
    return this.#standing.standing.some(({ alarm, about }) => alarm === 'contradiction' && about === contradiction);
  }

  #alarm(alarm: Alarm, about: string, words: string): void {
    const { jobs, log, policy } = this.#parts;
    const detail = harmless(words, LIMITS.noteCharactersMax);
    const action = actionOn(alarm, policy);
    log('boxAlarm', { box: this.name, alarm, ...(about === '' ? {} : { about }), action, detail });
    // What cuts a box off comes before what the disk has to take.
    if (action === 'fence-and-power-off') {
      this.#isPowerOffOwed = true;
      this.#lookAtPowerOff();
    }
    const reason = DISPUTED_BY[alarm];
    if (reason) jobs.dispute(this.name, { reason, detail });
    this.#apply({ type: 'alarm', alarm, about, detail, action });
  }

  #over(alarm: Alarm, about: string): void {
    this.#parts.log('boxAlarmOver', { box: this.name, alarm, about });
    this.#apply({ type: 'over', alarm, about });
  }

  /** What is under way, or a button at rest, delays it and does not save the box from it. */
  #lookAtPowerOff(): void {
    if (!this.#isPowerOffOwed || this.#busy !== undefined) return;
    this.#isPowerOffOwed = false;
    void this.#switch('hard-off', { by: 'policy' }).then((outcome) => {
      this.#isPowerOffOwed ||= outcome?.status === 'refused' && outcome.reason === 'busy';
    });
  }

  #lookAtKeepOn(): void {
    if (this.#busy !== undefined) return;
    const atMs = this.#parts.now();
    const { power, sinceMs } = this.#sensed;
    if (staysOn(power, sinceMs, atMs)) this.#keepOn = UNPRESSED;
    const isWanted = this.#parts.keepOn && this.#standing.ordered !== 'off' && mayBeSwitchedOn(this.#standing);
    if (!isWanted || this.#isKnown('answers-while-off') || !this.#hardware?.verbs.includes('on') || !isPressDue(this.#keepOn, power, atMs))
      return;
    this.#keepOn = pressed(this.#keepOn, atMs);
    void this.#switch('on', { by: 'keepOn', press: this.#keepOn.presses });
  }

  /** By nobody's order. */
  async #switch(verb: 'on' | 'hard-off', why: Readonly<Record<string, string | number>>): Promise<PowerOutcome | undefined> {
    const outcome = this.#hardware && (await this.power(this.#hardware, verb, 'its device'));
    if (!outcome) return undefined;
    const reason = outcome.status === 'done' ? {} : { reason: outcome.reason, detail: outcome.detail };
    this.#parts.log('boxSwitched', { box: this.name, verb, ...why, outcome: outcome.status, ...reason });
    return outcome;
  }

  #apply(event: BoxEvent): void {
    const before = this.#standing;
    const fitness = this.fitness();
    this.#standing = stepBox(before, event, this.#parts.now());
    if (this.#standing === before) return;
    this.#parts.changed(this, before);
    const { state } = this.#standing;
    if (state === 'fenced' && before.state !== 'fenced') this.#endRuns('all');
    if (state === 'suspect' && before.state !== 'suspect') this.#endRuns('waiting');
    if (this.fitness() !== fitness) this.#parts.jobs.fitnessChanged();
  }

  #endRuns(which: 'all' | 'waiting'): void {
    const { state, detail, cause } = this.#standing;
    const reason = cause === 'silent-at-work' || cause === 'power-lost' ? 'box-lost' : 'box-fenced';
    this.#parts.jobs.endRuns(this.name, which, reason, harmless(`box ${this.name} is ${state}: ${detail}`, LIMITS.noteCharactersMax));
  }
}

function machineChanges(before: Hello | undefined, after: Hello): string[] {
  const isSameTpm = before?.tpm && after.tpm ? isSameKeys(before.tpm, after.tpm) : before?.tpm === after.tpm;
  return [...(isSameTpm ? [] : ['TPM']), ...(before?.processors === after.processors ? [] : ['number of processors'])];
}

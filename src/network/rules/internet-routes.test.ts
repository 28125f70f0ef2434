import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Route, RouteTable } from '../model.ts';
import { internetRanges, natRanges, routeTableOf } from './internet-routes.ts';

const internet = (destination: string, id = 'igw-1'): Route => ({
  destination,
  target: { kind: 'internet-gateway', id },
});
const local = (destination: string): Route => ({ destination, target: { kind: 'local' } });
const attached = new Set(['igw-1']);

test('the local route cuts its hole into the default route', () => {
  assert.deepEqual(internetRanges([local('10.0.0.0/16'), internet('0.0.0.0/0')], attached), [
    '0.0.0.0-9.255.255.255',
    '10.1.0.0-255.255.255.255',
  ]);
});

test('the longest prefix decides, whatever the order', () => {
  const routes = [internet('10.0.1.0/24'), local('10.0.0.0/16'), internet('10.0.0.0/8')];
  assert.deepEqual(internetRanges(routes, attached), ['10.0.1.0-10.0.1.255', '10.1.0.0-10.255.255.255']);
});

test('a gateway that is not attached leads nowhere', () => {
  assert.deepEqual(internetRanges([internet('0.0.0.0/0', 'igw-2')], attached), []);
  assert.deepEqual(internetRanges([], attached), []);
});

test('a NAT gateway is reached by its routes, and reaches what its own subnet does', () => {
  const nat = (destination: string, id = 'nat-1'): Route => ({ destination, target: { kind: 'nat-gateway', id } });
  const gateway = { id: 'nat-1', publicIp: '198.18.0.1', routes: [local('10.0.0.0/16'), internet('0.0.0.0/0')] };
  const inside = [local('10.0.0.0/16'), nat('0.0.0.0/0')];
  const everywhere = ['0.0.0.0-9.255.255.255', '10.1.0.0-255.255.255.255'];
  assert.deepEqual(natRanges(inside, [gateway], attached), [{ publicIp: '198.18.0.1', destinations: everywhere }]);
  assert.deepEqual(natRanges(inside, [gateway], new Set()), [], 'without an internet gateway');
  assert.deepEqual(natRanges([...inside, nat('0.0.0.0/0', 'nat-2')].slice(0, 1), [gateway], attached), []);
  const narrow = { ...gateway, id: 'nat-2', publicIp: '198.18.0.2', routes: [internet('8.0.0.0/8')] };
  assert.deepEqual(natRanges([nat('8.8.0.0/16', 'nat-2'), nat('9.0.0.0/8', 'nat-2')], [gateway, narrow], attached), [
    { publicIp: '198.18.0.2', destinations: ['8.8.0.0-8.8.255.255'] },
  ]);
  assert.deepEqual(internetRanges(inside, attached), []);
});

test('a subnet uses its own table, else the main one', () => {
  const table = (id: string, isMain: boolean, subnets: string[]) =>
    ({
      id,
      vpcId: 'vpc-1',
      isMain,
      associations: subnets.map((subnetId) => ({ id: 'a', subnetId })),
    }) as unknown as RouteTable;
  const tables = [table('main', true, []), table('own', false, ['subnet-1'])];
  assert.equal(routeTableOf({ id: 'subnet-1', vpcId: 'vpc-1' }, tables)?.id, 'own');
  assert.equal(routeTableOf({ id: 'subnet-2', vpcId: 'vpc-1' }, tables)?.id, 'main');
  assert.equal(routeTableOf({ id: 'subnet-2', vpcId: 'vpc-2' }, tables), undefined);
});

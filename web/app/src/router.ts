import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router';
import JobsView from './views/JobsView.vue';

function parameter(route: Pick<RouteLocationNormalized, 'params'>, name: string): string {
  const value = route.params[name];
  return typeof value === 'string' ? value : '';
}

export const router = createRouter({
  history: createWebHistory('/app/'),
  routes: [
    { path: '/', redirect: { name: 'jobs' } },
    { path: '/jobs', name: 'jobs', component: JobsView },
    {
      path: '/jobs/:jobID/:taskID?',
      name: 'job',
      component: () => import('./views/JobView.vue'),
      props: (route) => ({ jobID: parameter(route, 'jobID'), taskID: parameter(route, 'taskID') }),
    },
    { path: '/workers', name: 'workers', component: () => import('./views/WorkersView.vue') },
    {
      path: '/workers/:workerID',
      name: 'worker',
      component: () => import('./views/WorkerView.vue'),
      props: (route) => ({ workerID: parameter(route, 'workerID') }),
    },
    { path: '/tags', name: 'tags', component: () => import('./views/TagsView.vue') },
    { path: '/last-rendered', name: 'last-rendered', component: () => import('./views/LastRenderedView.vue') },
    { path: '/settings', name: 'settings', component: () => import('./views/SettingsView.vue') },
    // Shown by the setup assistant itself, and only while the manager wants one.
    { path: '/setup/:step?', name: 'setup', component: { render: () => null } },
    { path: '/:rest(.*)*', name: 'not-found', component: () => import('./views/NotFoundView.vue') },
  ],
});

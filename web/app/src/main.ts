import '@fontsource-variable/inter/wght.css';
import './style.css';
import { createPinia } from 'pinia';
import { createApp } from 'vue';
import Root from './Root.vue';
import { applyTheme } from './lib/theme';
import { router } from './router';

applyTheme();
createApp(Root).use(createPinia()).use(router).mount('#app');
